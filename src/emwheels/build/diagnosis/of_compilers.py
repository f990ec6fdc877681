"""Kinds of failures of compilers and of the linker."""

from __future__ import annotations

from emwheels.build.diagnosis.kind import Kind

_NOT_FOUND = r"'? ?(?:file not found|: No such file)"

OF_COMPILERS = (
    Kind(
        id="numpy-header",
        pattern=rf"fatal error: '?(numpy/\w+\.h){_NOT_FOUND}",
        sees="`'numpy/arrayobject.h' file not found`",
        means="It is compiled against NumPy, whose headers are not there.",
        do="Name numpy under requirements.host and requirements.run, then run `emwheels lock NAME`.",
    ),
    Kind(
        id="python-header",
        pattern=rf"fatal error: '?(?:\w+/)?Python\.h{_NOT_FOUND}",
        sees="`'Python.h' file not found`",
        means="The headers of Python are not on the compiler's path.",
        do="Add `-I$(PYTHONINCLUDE)` to build.cflags, or take out what unsets CFLAGS in build.script.",
    ),
    Kind(
        id="system-header",
        pattern=(
            rf"fatal error: '?((?:linux|asm|sys/(?:epoll|ptrace|inotify|sysctl|signalfd|prctl|capability)|mach"
            rf"|windows|Windows"
            rf"|X11|GL/glx|execinfo|ucontext)\b[\w/]*\.h){_NOT_FOUND}"
        ),
        sees="`'linux/io_uring.h' file not found`",
        means="{what} belongs to an operating system, and there is none below WebAssembly.",
        do="Switch the feature off in build.script, or patch the #include away.",
    ),
    Kind(
        id="x86-header",
        pattern=(
            r"this header is for x86 only|(SSE\w*|AVX\w*) instruction set not enabled|unknown type name "
            r"'(__m(?:128|256|512)\w*)'"
            r"|undeclared function '(_mm\d*_\w+)'|fatal error: '(arm_neon|immintrin|cpuid|x86intrin|intrin|arm_sve)\.h'"
        ),
        sees="`this header is for x86 only`, `unknown type name '__m256i'`",
        means="The code is for another processor: {what}.",
        do=(
            "Switch it off in build.script by the project's own option. SSE up to 4.2 compiles with -msimd128 "
            "and -msse4.2 in build.cflags."
        ),
        what="x86",
    ),
    Kind(
        id="assembly",
        pattern=(
            r"invalid (?:output|input) constraint '[^']*' in asm|unknown register name '[^']*' in asm"
            r"|\.[sS]:\d+:\d+: error: |error: invalid instruction|Unexpected token in operand"
        ),
        sees="`invalid output constraint '=a' in asm`, an error in a `.S`",
        means="There is assembly of another processor in it.",
        do="Switch it off in build.script (--disable-asm, -DNO_ASM), or leave the file out by a patch.",
    ),
    Kind(
        id="machine-flag",
        pattern=(
            r"(?:unsupported (?:option|argument)|unknown argument:?) '(-m[\w.=+-]+)'|unknown target CPU '([\w.+-]+)'"
        ),
        sees="`unsupported option '-mavx512f' for target 'wasm32…'`",
        means="The compiler for WebAssembly does not know {what}.",
        do="Take it out of the build files: by the project's own option, or by `sed` in build.script.",
    ),
    Kind(
        id="header",
        pattern=(
            rf"fatal error: '?([\w./+-]+\.(?:h|hpp|hh|hxx|inc|H)?){_NOT_FOUND}|C\+* header '([^']+)' not found"
            rf"|checking for ([\w./+-]+\.h)\.\.\. no\nconfigure: error"
        ),
        sees="`'x.h' file not found`",
        means="The header {what} was not found.",
        do=(
            "Name the recipe of its library under requirements.host, and add -I$(WASM_LIBRARY_DIR)/include to "
            "build.cflags, with the folder below it if there is one."
        ),
    ),
    Kind(
        id="pointer-width",
        pattern=(
            r"shift count >= width of type|Wconstant-conversion|Wshorten-64-to-32|'sizeof\((?:void ?\*|size_t"
            r"|long)\) == 8'|Wint-to-(?:void-)?pointer-cast|Wpointer-to-int-cast"
        ),
        sees="`shift count >= width of type`, `sizeof(void *) == 8`",
        means="The code takes size_t, long or a pointer to have 64 bits; in WebAssembly they have 32.",
        do=(
            "Patch it to use uint64_t or Py_ssize_t. If the value cannot matter, add the -Wno-… of the message "
            "to build.cflags."
        ),
    ),
    Kind(
        id="function-pointer",
        pattern=r"\[-W(?:error,-W)?incompatible-function-pointer-types\]|\[-W(?:error,-W)?cast-function-type\S*\]",
        sees="`incompatible function pointer types`",
        means="A function is used as one of another type. WebAssembly ends the call.",
        do="Patch the function's declaration; a cast only hides it until it is called.",
    ),
    Kind(
        id="python-internals",
        pattern=(
            r"no member named '(\w+)' in 'struct (?:_ts|_frame|_typeobject|_is|PyCodeObject|_longobject|PyLongObject)'"
            r"|incomplete definition of type '(Py\w+)'|undeclared (?:function|identifier) '(_?Py[A-Z_]\w+)'"
            r"|call to undeclared function '(_?Py[A-Z_]\w+)'"
        ),
        sees="`no member named 'curexc_type'`, `undeclared function '_Py…'`",
        means="The code uses {what}, which this version of Python has no more.",
        do=(
            "Use a newer version of the package. If Cython wrote the file, have it written anew: remove the .c in "
            "build.script, and name cython under requirements.build-extras."
        ),
        what="what is inside Python",
    ),
    Kind(
        id="undeclared",
        pattern=r"call to undeclared (?:library )?function '(\w+)'",
        sees="`call to undeclared function 'x'`",
        means=(
            "No header declares the function {what}: one is not included, or the function does not exist in "
            "WebAssembly."
        ),
        do=(
            "Patch the #include in, or switch off what calls it. A check that said yes for it can be answered "
            "in build.script."
        ),
    ),
    Kind(
        id="werror",
        pattern=r"\[-Werror(?:,-W([\w-]+))?\]|all warnings being treated as errors",
        sees="`[-Werror,-Wunused-variable]`",
        means="The build takes warnings for errors: {what}.",
        do="Add -Wno-error to build.cflags, or switch it off by the project's option.",
        what="-Werror",
    ),
    Kind(
        id="exceptions",
        pattern=(
            r"with exceptions disabled|is not compatible with -fwasm-exceptions|-fwasm-exceptions is not "
            r"compatible"
        ),
        sees="`cannot use 'throw' with exceptions disabled`, `not compatible with -fwasm-exceptions`",
        means="Flags about C++ exceptions contradict those of Pyodide, which has -fwasm-exceptions everywhere.",
        do="Take -fno-exceptions, -fexceptions and -sDISABLE_EXCEPTION_CATCHING out in build.script or by a patch.",
    ),
    Kind(
        id="longjmp",
        pattern=r"undefined symbol: (?:emscripten_longjmp|saveSetjmp|__wasm_setjmp|__wasm_longjmp)",
        sees="`undefined symbol: emscripten_longjmp`",
        means="An object or a library was compiled with other settings for longjmp than Pyodide's.",
        do="Compile all of it with -fwasm-exceptions -sSUPPORT_LONGJMP=wasm, as ${SIDE_MODULE_CFLAGS} has it.",
    ),
    Kind(
        id="old-cpp",
        pattern=(
            r"no template named '(auto_ptr|unary_function|binary_function|random_shuffle)'|'register' storage "
            r"class|ISO C\+\+\d+ does not allow"
        ),
        sees="`no template named 'auto_ptr'`, `ISO C++17 does not allow`",
        means="The code is older than the C++ that it is compiled as.",
        do="Add -std=c++14 to build.cxxflags, or use a newer version of the package.",
    ),
    Kind(
        id="process",
        pattern=(
            r"undefined symbol: ((?:fork|vfork|exec\w*|ptrace|posix_spawn\w*|waitpid|kill|setuid|dlopen"
            r"|getpwnam)\b)"
        ),
        sees="`undefined symbol: ptrace`",
        means="{what} is of an operating system, and there is none below WebAssembly.",
        do="Switch off what calls it in build.script, or patch it to fail in an orderly way.",
    ),
    Kind(
        id="undefined-symbol",
        pattern=r"undefined symbol: ([^\n]{1,200})|undefined reference to [`']([^'\n]{1,200})",
        sees="`undefined symbol: x`",
        means="No object or library of the link defines {what}.",
        do=(
            "Name the library that has it under requirements.host and in build.ldflags (-lNAME, behind what uses it), "
            "or add the source file that was left out."
        ),
    ),
    Kind(
        id="duplicate-symbol",
        pattern=r"duplicate symbol: ([^\n]{1,200})|multiple definition of [`']([^'\n]{1,200})",
        sees="`duplicate symbol: x`",
        means="{what} is defined twice: a source file is compiled into two libraries, or a header defines it.",
        do="Link only one of the two. For a variable in a C header, add -fcommon to build.cflags.",
    ),
    Kind(
        id="signature",
        pattern=r"function signature mismatch: ([^\n]{1,200})|signature mismatch",
        sees="`function signature mismatch: x`",
        means="{what} is declared in two ways. WebAssembly checks what other machines let pass.",
        do="Patch the declaration that is wrong; the lines `defined as` name both.",
        what="A function",
    ),
    Kind(
        id="native-object",
        pattern=r"unknown file type: (\S+)|is not a (?:wasm|relocatable wasm) file|not an object file or archive",
        sees="`unknown file type: tiny.o`",
        means="{what} is no WebAssembly: a compiler of the machine made it.",
        do="Have the build use ${CC}, ${CXX} and ${AR}, in build.script or by a patch.",
        what="A file",
    ),
    Kind(
        id="compiler-crash",
        pattern=(
            r"PLEASE submit a bug report to|clang\S*: error: (?:unable to execute command|clang frontend command "
            r"failed)|LLVM ERROR: "
        ),
        sees="`LLVM ERROR`, `PLEASE submit a bug report`",
        means="The compiler itself broke.",
        do="Compile the file with less optimisation (-O1 in build.cflags), or leave it out.",
    ),
)
