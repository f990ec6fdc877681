/* What f2c cannot have from LAPACK 3.12: four routines that are written in Fortran 90 (lartg, lassq, both real and complex),
   those that ask the compiler about its numbers, and intrinsic functions that f2c does not know.

   Compiled twice: with SINGLE for s and c, without for d and z. Algorithms: E. Anderson, "Algorithm 978: Safe Scaling in the
   Level 1 BLAS", ACM TOMS 44 (2017), as in LAPACK's lartg.f90 and lassq.f90. */

#include <float.h>
#include <math.h>
#include <string.h>

#ifdef SINGLE
typedef float number;
#define REAL(name) s##name##_
#define COMPLEX(name) c##name##_
#define IS(name) is##name##_
#define M(name) name##f
#define LIMIT(name) FLT_##name
#else
typedef double number;
#define REAL(name) d##name##_
#define COMPLEX(name) z##name##_
#define IS(name) id##name##_
#define M(name) name
#define LIMIT(name) DBL_##name
#endif
typedef struct {
  number r, i;
} complex_number;

static const number safmin = LIMIT(MIN); /* its inverse is finite */

static number clamp(number x) { return M(fmin)(1 / safmin, M(fmax)(safmin, x)); }
static complex_number scaled(complex_number z, number by) { return (complex_number){z.r * by, z.i * by}; }
static complex_number divided(complex_number z, number by) { return (complex_number){z.r / by, z.i / by}; }
static number square(complex_number z) { return z.r * z.r + z.i * z.i; }
static number larger_part(complex_number z) { return M(fmax)(M(fabs)(z.r), M(fabs)(z.i)); }
static complex_number conjugate_times(complex_number a, complex_number b) {
  return (complex_number){a.r * b.r + a.i * b.i, a.r * b.i - a.i * b.r};
}

void REAL(lartg)(number *f, number *g, number *c, number *s, number *r) {
  number rtmin = M(sqrt)(safmin), rtmax = M(sqrt)(1 / safmin / 2);
  number x = *f, y = *g, f1 = M(fabs)(x), g1 = M(fabs)(y);
  if (y == 0) {
    *c = 1;
    *s = 0;
    *r = x;
  } else if (x == 0) {
    *c = 0;
    *s = M(copysign)(1, y);
    *r = g1;
  } else {
    number u = f1 > rtmin && f1 < rtmax && g1 > rtmin && g1 < rtmax ? 1 : clamp(M(fmax)(f1, g1));
    x /= u;
    y /= u;
    number d = M(sqrt)(x * x + y * y), signed_d = M(copysign)(d, x);
    *c = M(fabs)(x) / d;
    *s = y / signed_d;
    *r = signed_d * u;
  }
}

/* Rotation of f and g, whose squares add up without overflow; f2 is the square of f, scaled for it by w. */
static void rotate(complex_number f, complex_number g, number f2, number h2, number rtmin, number rtmax, number *c,
                   complex_number *s, complex_number *r) {
  if (f2 >= h2 * safmin) {
    *c = M(sqrt)(f2 / h2);
    *r = divided(f, *c);
    complex_number by = f2 > rtmin && h2 < rtmax * 2 ? divided(f, M(sqrt)(f2 * h2)) : divided(*r, h2);
    *s = conjugate_times(g, by);
  } else {
    number d = M(sqrt)(f2 * h2);
    *c = f2 / d;
    *r = *c >= safmin ? divided(f, *c) : scaled(f, h2 / d);
    *s = conjugate_times(g, divided(f, d));
  }
}

void COMPLEX(lartg)(complex_number *f, complex_number *g, number *c, complex_number *s, complex_number *r) {
  number rtmin = M(sqrt)(safmin), f1 = larger_part(*f), g1 = larger_part(*g);
  complex_number x = *f, y = *g;
  if (g1 == 0) {
    *c = 1;
    *s = (complex_number){0, 0};
    *r = x;
    return;
  }
  if (f1 == 0) {
    number rtmax = M(sqrt)(1 / safmin / 2), u = 1, length;
    *c = 0;
    if (y.r == 0 || y.i == 0) {
      length = M(fabs)(y.r == 0 ? y.i : y.r);
    } else {
      if (!(g1 > rtmin && g1 < rtmax)) u = clamp(g1);
      y = divided(y, u);
      length = M(sqrt)(square(y));
    }
    *s = divided((complex_number){y.r, -y.i}, length);
    *r = (complex_number){length * u, 0};
    return;
  }
  number rtmax = M(sqrt)(1 / safmin / 4);
  if (f1 > rtmin && f1 < rtmax && g1 > rtmin && g1 < rtmax) {
    number f2 = square(x);
    rotate(x, y, f2, f2 + square(y), rtmin, rtmax, c, s, r);
    return;
  }
  number u = clamp(M(fmax)(f1, g1)), w = 1;
  y = divided(y, u);
  if (f1 / u < rtmin) {
    number v = clamp(f1);
    w = v / u;
    x = divided(x, v);
  } else {
    x = divided(x, u);
  }
  number f2 = square(x);
  rotate(x, y, f2, f2 * (w * w) + square(y), rtmin, rtmax, c, s, r);
  *c *= w;
  *r = scaled(*r, u);
}

/* Sums of squares of what is big, of medium size and small; Blue's constants. */
typedef struct {
  number big, medium, small, tbig, tsml, sbig, ssml;
  int none_big;
} sums;

static sums no_sums(void) {
  sums a = {.none_big = 1};
  a.tsml = M(ldexp)(1, (int)ceil((LIMIT(MIN_EXP) - 1) * 0.5));
  a.tbig = M(ldexp)(1, (int)floor((LIMIT(MAX_EXP) - LIMIT(MANT_DIG) + 1) * 0.5));
  a.ssml = M(ldexp)(1, -(int)floor((LIMIT(MIN_EXP) - LIMIT(MANT_DIG)) * 0.5));
  a.sbig = M(ldexp)(1, -(int)ceil((LIMIT(MAX_EXP) + LIMIT(MANT_DIG) - 1) * 0.5));
  return a;
}

static void add(sums *a, number x) {
  x = M(fabs)(x);
  if (x > a->tbig) {
    a->big += (x * a->sbig) * (x * a->sbig);
    a->none_big = 0;
  } else if (x < a->tsml) {
    if (a->none_big) a->small += (x * a->ssml) * (x * a->ssml);
  } else {
    a->medium += x * x;
  }
}

static void finish(sums *a, number *scale, number *sumsq) {
  if (*sumsq > 0) {
    number x = *scale * M(sqrt)(*sumsq);
    if (x > a->tbig) {
      if (*scale > 1) {
        *scale *= a->sbig;
        a->big += *scale * (*scale * *sumsq);
      } else {
        a->big += *scale * (*scale * (a->sbig * (a->sbig * *sumsq)));
      }
    } else if (x < a->tsml) {
      if (a->none_big) {
        if (*scale < 1) {
          *scale *= a->ssml;
          a->small += *scale * (*scale * *sumsq);
        } else {
          a->small += *scale * (*scale * (a->ssml * (a->ssml * *sumsq)));
        }
      }
    } else {
      a->medium += *scale * (*scale * *sumsq);
    }
  }
  int some_medium = a->medium > 0 || isnan(a->medium);
  *scale = 1;
  *sumsq = a->medium;
  if (a->big > 0) {
    *scale = 1 / a->sbig;
    *sumsq = a->big + (some_medium ? (a->medium * a->sbig) * a->sbig : 0);
  } else if (a->small > 0 && some_medium) {
    number medium = M(sqrt)(a->medium), small = M(sqrt)(a->small) / a->ssml;
    number least = small > medium ? medium : small, most = small > medium ? small : medium;
    *sumsq = most * most * (1 + (least / most) * (least / most));
  } else if (a->small > 0) {
    *scale = 1 / a->ssml;
    *sumsq = a->small;
  }
}

/* 0 if there is nothing to add to (scale, sumsq). */
static int prepare(int n, number *scale, number *sumsq) {
  if (isnan(*scale) || isnan(*sumsq)) return 0;
  if (*sumsq == 0) *scale = 1;
  if (*scale == 0) {
    *scale = 1;
    *sumsq = 0;
  }
  return n > 0;
}

void REAL(lassq)(int *n, number *x, int *incx, number *scale, number *sumsq) {
  if (!prepare(*n, scale, sumsq)) return;
  sums a = no_sums();
  x += *incx < 0 ? -(*n - 1) * *incx : 0;
  for (int i = 0; i < *n; i++, x += *incx) add(&a, *x);
  finish(&a, scale, sumsq);
}

void COMPLEX(lassq)(int *n, complex_number *x, int *incx, number *scale, number *sumsq) {
  if (!prepare(*n, scale, sumsq)) return;
  sums a = no_sums();
  x += *incx < 0 ? -(*n - 1) * *incx : 0;
  for (int i = 0; i < *n; i++, x += *incx) {
    add(&a, x->r);
    add(&a, x->i);
  }
  finish(&a, scale, sumsq);
}

/* Of IEEE 754 numbers, rounded to nearest. */
number REAL(lamch)(char *what) {
  switch (*what | 0x20) {
    case 'e': return LIMIT(EPSILON) / 2;
    case 's': return safmin;
    case 'b': return 2;
    case 'p': return LIMIT(EPSILON);
    case 'n': return LIMIT(MANT_DIG);
    case 'r': return 1;
    case 'm': return LIMIT(MIN_EXP);
    case 'u': return LIMIT(MIN);
    case 'l': return LIMIT(MAX_EXP);
    case 'o': return LIMIT(MAX);
    default: return 0;
  }
}

number REAL(lamc3)(number *a, number *b) { return *a + *b; }

/* The size of a work array as a number that is not less. */
number REAL(roundup_lwork)(int *size) {
  number result = (number)*size;
  return (double)result < *size ? result * (1 + LIMIT(EPSILON)) : result;
}

/* MAXLOC(x(1:n), 1): where the largest number is, counted from 1; a NaN is none. */
int IS(maxl)(int *n, number *x) {
  int at = 0;
  for (int i = 0; i < *n; i++)
    if (!isnan(x[i]) && (!at || x[i] > x[at - 1])) at = i + 1;
  return at ? at : *n > 0;
}

/* CEILING(x) */
int IS(ceil)(number *x) { return (int)M(ceil)(*x); }

#ifndef SINGLE
extern int xerbla_(char *name, int *info, int length); /* OpenBLAS's */

/* What LAPACK's subroutines call as xerbla. */
void lapack_xerbla_(char *name, int *info, int length) { xerbla_(name, info, length); }

void xerbla_array_(char *name, int *length, int *info) {
  char text[32];
  int used = *length < 32 ? *length : 32;
  memset(text, ' ', sizeof text);
  if (used > 0) memcpy(text, name, used);
  xerbla_(text, info, sizeof text);
}

/* As a C function. In Fortran it returns a text, which C code that declares LAPACK does not expect. */
char chla_transtype_(int *trans) { return *trans == 111 ? 'N' : *trans == 112 ? 'T' : *trans == 113 ? 'C' : 'X'; }
#endif
