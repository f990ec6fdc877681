#include <cstdio>
#include <stdexcept>
#include <string>

struct Counted {
  int &count;
  ~Counted() { ++count; }
};

int main() {
  int unwound = 0;
  try {
    Counted first{unwound};
    Counted second{unwound};
    throw std::out_of_range("kept");
  } catch (const std::logic_error &error) {
    std::printf("%s %d\n", error.what(), unwound);
  }
  return 0;
}
