#include <stdio.h>
#include <wasm_simd128.h>

int main(void) {
  float values[4] = {1, 2, 3, 4};
  v128_t all = wasm_v128_load(values);
  wasm_v128_store(values, wasm_f32x4_mul(all, wasm_f32x4_add(all, wasm_f32x4_splat(1))));
  printf("%g %g %g %g\n", values[0], values[1], values[2], values[3]);
  return 0;
}
