"""A package in Rust without pyo3: a module by hand over the C API, a crate of three lines, C and C++ around it."""

from __future__ import annotations

LIB = r"""
use std::ffi::{c_char, c_int, c_long, c_void};
use std::panic::catch_unwind;
use std::sync::atomic::{AtomicI32, Ordering::SeqCst};

type Object = *mut c_void;
type Function = unsafe extern "C-unwind" fn(Object, Object) -> Object;
#[repr(C)]
struct Method { name: *const c_char, call: Option<Function>, flags: c_int, doc: *const c_char }

extern "C" {
    fn PyLong_FromLong(value: c_long) -> Object;
    fn PyLong_AsLong(value: Object) -> c_long;
    fn PyModule_Create2(definition: *mut c_void, version: c_int) -> Object;
}
extern "C-unwind" {
    fn cpp_throw(n: c_int);
    fn cpp_catch(call: extern "C-unwind" fn(c_int), n: c_int) -> c_int;
    fn cpp_pass(call: extern "C-unwind" fn(c_int), n: c_int, destroyed: *mut c_int);
    fn jump_over(call: extern "C-unwind" fn(c_int)) -> c_int;
    fn jump_back(n: c_int);
}

static DROPPED: AtomicI32 = AtomicI32::new(0);
struct Guard;
impl Drop for Guard { fn drop(&mut self) { DROPPED.fetch_add(1, SeqCst); } }

extern "C-unwind" fn throws(n: c_int) { let _guard = Guard; unsafe { cpp_throw(n) } }
extern "C-unwind" fn panics(n: c_int) { let _guard = Guard; panic!("number {n}") }
extern "C-unwind" fn jumps(n: c_int) { unsafe { jump_back(n + 4) } }

fn number(value: Object) -> c_int { unsafe { PyLong_AsLong(value) as c_int } }
fn object(value: c_int) -> Object { unsafe { PyLong_FromLong(value as c_long) } }

/// What the crate has, and the number.
unsafe extern "C-unwind" fn plus_three(_: Object, n: Object) -> Object { object(number(n) + three::three() as c_int) }

/// A panic that Rust catches: the length of its message.
unsafe extern "C-unwind" fn caught(_: Object, n: Object) -> Object {
    let n = number(n);
    let error = catch_unwind(|| panics(n)).unwrap_err();
    object(error.downcast_ref::<String>().unwrap().len() as c_int)
}

/// A C++ exception through a frame of Rust: 10 for each Drop that ran, and 1 if C++ caught it.
unsafe extern "C-unwind" fn thrown(_: Object, n: Object) -> Object {
    DROPPED.store(0, SeqCst);
    let found = unsafe { cpp_catch(throws, number(n)) };
    object(found + 10 * DROPPED.load(SeqCst))
}

/// A panic through a frame of C++: 10 for each Drop, and 1 for its destructor.
unsafe extern "C-unwind" fn passed(_: Object, n: Object) -> Object {
    DROPPED.store(0, SeqCst);
    let (n, mut destroyed) = (number(n), 0);
    let place = &raw mut destroyed as usize;
    let failed = catch_unwind(|| unsafe { cpp_pass(panics, n, place as *mut c_int) }).is_err();
    object(if failed { destroyed + 10 * DROPPED.load(SeqCst) } else { -1 })
}

/// longjmp over a frame of Rust.
unsafe extern "C-unwind" fn jumped(_: Object, _n: Object) -> Object { object(unsafe { jump_over(jumps) }) }

const ONE: c_int = 0x0008; // METH_O
static mut METHODS: [Method; 6] = [
    Method { name: c"plus_three".as_ptr(), call: Some(plus_three), flags: ONE, doc: std::ptr::null() },
    Method { name: c"caught".as_ptr(), call: Some(caught), flags: ONE, doc: std::ptr::null() },
    Method { name: c"thrown".as_ptr(), call: Some(thrown), flags: ONE, doc: std::ptr::null() },
    Method { name: c"passed".as_ptr(), call: Some(passed), flags: ONE, doc: std::ptr::null() },
    Method { name: c"jumped".as_ptr(), call: Some(jumped), flags: ONE, doc: std::ptr::null() },
    Method { name: std::ptr::null(), call: None, flags: 0, doc: std::ptr::null() },
];
static mut DEFINITION: [usize; 13] = [1, 0, 0, 0, 0, 0, 0, usize::MAX, 0, 0, 0, 0, 0];

#[no_mangle]
pub unsafe extern "C-unwind" fn PyInit_tiny() -> Object {
    unsafe {
        DEFINITION[5] = c"tiny".as_ptr() as usize;
        DEFINITION[8] = &raw mut METHODS as usize;
        PyModule_Create2(&raw mut DEFINITION as *mut c_void, 1013)
    }
}
"""
C = r"""
#include <setjmp.h>
static jmp_buf back;
int jump_over(void (*call)(int)) { int n = setjmp(back); if (n) return n; call(1); return 0; }
void jump_back(int n) { longjmp(back, n); }
"""
CXX = r"""
#include <stdexcept>
#include <string>
struct Destroyed { int *count; ~Destroyed() { ++*count; } };
extern "C" {
void cpp_throw(int n) { throw std::runtime_error(std::to_string(n)); }
int cpp_catch(void (*call)(int), int n) {
    try { call(n); return 0; }
    catch (std::exception &error) { return error.what() == std::to_string(n); }
}
void cpp_pass(void (*call)(int), int n, int *destroyed) { Destroyed guard{destroyed}; call(n); }
}
"""
BUILD_RS = r"""
use std::{env, process::Command};
fn run(program: &str, words: &[&str]) {
    assert!(Command::new(program).args(words).status().unwrap().success(), "{program} {words:?}");
}
fn main() {
    let out = env::var("OUT_DIR").unwrap();
    let common = ["-O2", "-fPIC", "-fwasm-exceptions", "-sSUPPORT_LONGJMP=wasm", "-c"];
    run("emcc", &[&common[..], &["jump.c", "-o", &format!("{out}/jump.o")]].concat());
    run("em++", &[&common[..], &["throw.cpp", "-o", &format!("{out}/throw.o")]].concat());
    run("emar", &["rcsD", &format!("{out}/libaround.a"), &format!("{out}/jump.o"), &format!("{out}/throw.o")]);
    println!("cargo::rustc-link-search=native={out}");
    println!("cargo::rustc-link-lib=static=around");
}
"""
MANIFEST = """\
[package]
name = "tiny"
version = "1.0.0"
edition = "2021"
{more}
[lib]
crate-type = ["cdylib"]
[dependencies]
three = "1"
"""
SETUP = """\
import os, shutil, subprocess
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

class Cargo(build_ext):
    def build_extension(self, extension):
        subprocess.check_call(["cargo", "build", "--release", "--locked"])
        module = self.get_ext_fullpath(extension.name)
        self.mkpath(os.path.dirname(module))
        shutil.copyfile("target/wasm32-unknown-emscripten/release/tiny.wasm", module)

setup(ext_modules=[Extension("tiny", [])], cmdclass={"build_ext": Cargo})
"""
PROJECT = (
    '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
    '[project]\nname = "tiny"\nversion = "1.0"\n'
)
META = "requirements:\n  executable: [cargo]\n"
TESTS = """
    import tiny

    def test_a_crate():
        assert tiny.plus_three(4) == 7

    def test_panics_that_are_caught():
        assert tiny.caught(5) == len("number 5")
        assert {tiny.caught(n % 10) for n in range(1000)} == {8}

    def test_cpp_through_rust_and_rust_through_cpp():
        assert tiny.thrown(3) == 11
        assert tiny.passed(3) == 11

    def test_longjmp_over_rust():
        assert tiny.jumped(0) == 5
"""
THREE = "pub fn three() -> u32 { 3 }\n"


def members(*, more: str = "", **files: str) -> dict[str, str]:
    """Return the source; ``more`` goes into the package's table of Cargo.toml, a Cargo.lock under ``lock``."""
    lock = {"Cargo.lock": files["lock"]} if "lock" in files else {}
    return {
        "pyproject.toml": PROJECT,
        "setup.py": SETUP,
        "Cargo.toml": MANIFEST.format(more=more),
        "build.rs": BUILD_RS,
        "src/lib.rs": LIB,
        "jump.c": C,
        "throw.cpp": CXX,
        **lock,
    }
