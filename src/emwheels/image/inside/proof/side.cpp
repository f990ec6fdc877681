// A side module: what a compiled module of a wheel is. It is loaded by the target's own runtime.
#include <cmath>
#include <csetjmp>
#include <map>
#include <stdexcept>
#include <string>

static jmp_buf back;

extern "C" int caught(int value) {
  std::map<std::string, int> names{{"one", 1}, {"two", 2}};
  try {
    return names.at(value == 1 ? "one" : "none");
  } catch (const std::out_of_range &) {
    return -1;
  }
}

extern "C" int jumped(int value) {
  int status = setjmp(back);
  if (status == 0) longjmp(back, value);
  return status;
}

extern "C" double computed(double value) { return std::sqrt(value) + std::pow(value, 0.5); }
