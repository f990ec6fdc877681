#include <setjmp.h>
#include <stdio.h>

static jmp_buf back;

static void fail(int depth) {
  if (depth == 0) longjmp(back, 7);
  fail(depth - 1);
}

int main(void) {
  int status = setjmp(back);
  if (status == 0) fail(5);
  printf("%d\n", status);
  return 0;
}
