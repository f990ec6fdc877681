#include <math.h>
#include <stdio.h>

int main(void) {
  printf("%.6f\n", sin(1.0));
  return 0;
}
