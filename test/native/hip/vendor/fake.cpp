// A library in the place of the vendor's two: the functions that native/hip calls, with the numbers of the public headers (hipblaslt.h and
// hipblas-common.h of ROCm 6, rocblas-types.h; cublasLt.h and cublas_api.h of CUDA 13), computing in float64 on the CPU in the libraries' column order.
#include "fake.h"

#include <cstring>
#include <map>
#include <vector>

namespace {

FakeVendor state;

int misused(const char* how) {
  if (!state.misuse) state.misuse = how;
  return 7;
}

#ifdef __HIP__
#define LT(name) hipblasLt##name
constexpr int kSums = 2, kNo = 111, kYes = 112;
constexpr int kBlasF32 = 151, kBlasBf16 = 168;
struct Algorithm {
  uint8_t data[16];
  size_t most;
};
// attribute → bytes of its value
const std::map<int, size_t> productAttributes{{0, 4}, {1, 4}, {2, 4}, {3, 8}, {4, 4}}, preferenceAttributes{{0, 4}, {1, 8}};
constexpr int kTransA = 0, kTransB = 1, kEpilogue = 2, kBias = 3, kBiasType = 4, kMost = 1;
#else
#define LT(name) cublasLt##name
constexpr int kSums = 68, kNo = 0, kYes = 1;
constexpr int kBlasF32 = 0, kBlasBf16 = 14;
struct Algorithm {
  uint64_t data[8];
};
const std::map<int, size_t> productAttributes{{3, 4}, {4, 4}, {7, 4}, {8, 8}, {26, 4}}, preferenceAttributes{{1, 8}, {3, 4}, {5, 4}, {6, 4}, {7, 4}, {8, 4}};
constexpr int kTransA = 3, kTransB = 4, kEpilogue = 7, kBias = 8, kBiasType = 26, kMost = 1, kSchemes = 3, kAlignments = 5;
#endif
struct Heuristic {
  Algorithm algorithm;
  size_t workspace;
  int status;
  float waves;
  int reserved[4];
};

enum class Kind { handle, product, matrix, preferences, destroyed };
struct Object {
  Kind kind;
  void* stream;
  int type;
  uint64_t rows, columns;
  int64_t stride;
  std::map<int, std::vector<uint8_t>> attributes;
  template <class T>
  T get(int attribute, T otherwise) const {
    const auto at = attributes.find(attribute);
    if (at != attributes.end()) std::memcpy(&otherwise, at->second.data(), sizeof otherwise);
    return otherwise;
  }
};

int make(void** made, Kind kind, int& alive) {
  *made = new Object{kind, nullptr, 0, 0, 0, 0, {}};
  ++alive;
  return 0;
}
bool is(const void* object, Kind kind) { return object && static_cast<const Object*>(object)->kind == kind; }
int destroy(void* object, Kind kind, int& alive) {
  if (!is(object, kind)) return misused("something else was destroyed");
  static_cast<Object*>(object)->kind = Kind::destroyed;  // and kept, to be recognised
  --alive;
  return 0;
}
int setAttribute(void* object, Kind kind, const std::map<int, size_t>& known, int attribute, const void* value, size_t bytes) {
  const auto at = known.find(attribute);
  if (!is(object, kind) || at == known.end() || at->second != bytes) return misused("an attribute");
  const auto first = static_cast<const uint8_t*>(value);
  static_cast<Object*>(object)->attributes[attribute].assign(first, first + bytes);
  return 0;
}

double load(const void* p, bool f32, int64_t i) {
  if (f32) return static_cast<const float*>(p)[i];
  const uint32_t bits = uint32_t{static_cast<const uint16_t*>(p)[i]} << 16;
  float x;
  std::memcpy(&x, &bits, 4);
  return x;
}
void store(void* p, bool f32, int64_t i, double value) {
  const auto x = static_cast<float>(value);
  if (f32) {
    static_cast<float*>(p)[i] = x;
    return;
  }
  uint32_t bits;
  std::memcpy(&bits, &x, 4);
  static_cast<uint16_t*>(p)[i] = static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

struct Columns {
  const void* p;
  bool f32, transposed;
  int64_t stride;
  double at(int64_t i, int64_t j) const { return load(p, f32, transposed ? j + i * stride : i + j * stride); }
};
void multiply(int64_t m, int64_t n, int64_t k, double alpha, const Columns& a, const Columns& b, double beta, void* c, bool cF32, int64_t stride, const void* bias) {
  for (int64_t j = 0; j < n; ++j)
    for (int64_t i = 0; i < m; ++i) {
      double sum = 0;
      for (int64_t l = 0; l < k; ++l) sum += a.at(i, l) * b.at(l, j);
      const double before = beta != 0 ? beta * load(c, cF32, i + j * stride) : 0;
      store(c, cF32, i + j * stride, alpha * sum + before + (bias ? load(bias, cF32, i) : 0));
    }
}

/// Whether the descriptors fit each other; sizes as after transposing.
bool fit(const Object& p, const Object& a, const Object& b, const Object& c, uint64_t& m, uint64_t& n, uint64_t& k) {
  const int aOperation = p.get(kTransA, kNo), bOperation = p.get(kTransB, kNo);
  if ((aOperation != kNo && aOperation != kYes) || (bOperation != kNo && bOperation != kYes)) return false;
  m = aOperation == kYes ? a.columns : a.rows;
  k = aOperation == kYes ? a.rows : a.columns;
  n = bOperation == kYes ? b.rows : b.columns;
  const bool strides = a.stride >= static_cast<int64_t>(a.rows) && b.stride >= static_cast<int64_t>(b.rows) && c.stride >= static_cast<int64_t>(c.rows);
  return strides && (bOperation == kYes ? b.columns : b.rows) == k && c.rows == m && c.columns == n && a.type == b.type && (a.type == 14 || c.type == 0);
}

}  // namespace

#define EXPORT extern "C" __attribute__((visibility("default")))

EXPORT FakeVendor* fakeVendor() { return &state; }

EXPORT int LT(Create)(void** made) { return make(made, Kind::handle, state.handles); }
EXPORT int LT(Destroy)(void* handle) { return destroy(handle, Kind::handle, state.handles); }
EXPORT int LT(MatmulDescCreate)(void** made, int sums, int scale) {
  return sums == kSums && scale == 0 ? make(made, Kind::product, state.descriptors) : misused("sums in another type");
}
EXPORT int LT(MatmulDescDestroy)(void* p) { return destroy(p, Kind::product, state.descriptors); }
EXPORT int LT(MatmulDescSetAttribute)(void* p, int attribute, const void* value, size_t bytes) {
  return setAttribute(p, Kind::product, productAttributes, attribute, value, bytes);
}
EXPORT int LT(MatrixLayoutCreate)(void** made, int type, uint64_t rows, uint64_t columns, int64_t stride) {
  if (type != 0 && type != 14) return misused("a type");
  make(made, Kind::matrix, state.descriptors);
  auto& object = *static_cast<Object*>(*made);
  object.type = type;
  object.rows = rows;
  object.columns = columns;
  object.stride = stride;
  return 0;
}
EXPORT int LT(MatrixLayoutDestroy)(void* p) { return destroy(p, Kind::matrix, state.descriptors); }
EXPORT int LT(MatmulPreferenceCreate)(void** made) { return make(made, Kind::preferences, state.descriptors); }
EXPORT int LT(MatmulPreferenceDestroy)(void* p) { return destroy(p, Kind::preferences, state.descriptors); }
EXPORT int LT(MatmulPreferenceSetAttribute)(void* p, int attribute, const void* value, size_t bytes) {
  return setAttribute(p, Kind::preferences, preferenceAttributes, attribute, value, bytes);
}

EXPORT int LT(MatmulAlgoGetHeuristic)(void* handle, void* product, void* a, void* b, void* c, void* d, void* preferences, int most, Heuristic* results, int* found) {
  *found = 0;
  ++state.choices;
  if (!is(handle, Kind::handle) || !is(product, Kind::product) || !is(a, Kind::matrix) || !is(b, Kind::matrix) || !is(c, Kind::matrix) || d != c ||
      !is(preferences, Kind::preferences) || most != 1)
    return misused("the heuristics' arguments");
  uint64_t m, n, k;
  if (!fit(*static_cast<Object*>(product), *static_cast<Object*>(a), *static_cast<Object*>(b), *static_cast<Object*>(c), m, n, k)) return misused("matrices that do not fit");
  if (state.declines) return 15;
  const Object& wishes = *static_cast<Object*>(preferences);
  if (wishes.get<uint64_t>(kMost, 0) < state.workspace) return 15;
  *results = {};
  std::memset(&results->algorithm, 0x5a, sizeof results->algorithm);
#ifndef __HIP__
  if (wishes.get<uint32_t>(kSchemes, 7) != 2) return misused("sums in any order");
  // What the algorithm counts on, for the product to check.
  for (int i = 0; i < 3; ++i) results->algorithm.data[i] = wishes.get<uint32_t>(kAlignments + i, 256);
#endif
  results->workspace = state.workspace;
  *found = 1;
  return 0;
}

EXPORT int LT(Matmul)(void* handle, void* product, const float* alpha, const void* a, void* aLayout, const void* b, void* bLayout, const float* beta, const void* c,
                      void* cLayout, void* d, void* dLayout, const Algorithm* algorithm, void* workspace, size_t bytes, void*) {
  if (!is(handle, Kind::handle) || !is(product, Kind::product) || c != d || cLayout != dLayout) return misused("the product's arguments");
  const Object &p = *static_cast<Object*>(product), &al = *static_cast<Object*>(aLayout), &bl = *static_cast<Object*>(bLayout), &cl = *static_cast<Object*>(cLayout);
  uint64_t m, n, k;
  if (!fit(p, al, bl, cl, m, n, k)) return misused("matrices that do not fit");
  if (state.workspace > bytes || (state.workspace > 0 && (!workspace || reinterpret_cast<uintptr_t>(workspace) % 16 != 0))) return misused("too small a workspace");
  if (state.workspace > 0) std::memset(workspace, 1, state.workspace);
  if (reinterpret_cast<const uint8_t*>(algorithm)[sizeof(Algorithm) - 1] != 0x5a && sizeof(Algorithm) > 24) return misused("another algorithm");
#ifndef __HIP__
  const void* const operands[] = {a, b, c};
  for (int i = 0; i < 3; ++i)
    if (reinterpret_cast<uintptr_t>(operands[i]) % algorithm->data[i] != 0) return misused("an operand that is less aligned than promised");
#endif
  if (state.fails) return 13;
  const uint32_t epilogue = p.get<uint32_t>(kEpilogue, 1);
  const void* const bias = epilogue == 4 ? p.get<const void*>(kBias, nullptr) : nullptr;
  if (epilogue != 1 && !bias) return misused("an epilogue");
  if (bias && p.get<int32_t>(kBiasType, -1) != cl.type) return misused("the bias's type");
  ++state.ltProducts;
  state.biased += bias != nullptr;
  multiply(static_cast<int64_t>(m), static_cast<int64_t>(n), static_cast<int64_t>(k), *alpha, {a, al.type == 0, p.get(kTransA, kNo) == kYes, al.stride},
           {b, bl.type == 0, p.get(kTransB, kNo) == kYes, bl.stride}, *beta, d, cl.type == 0, cl.stride, bias);
  return 0;
}

#ifdef __HIP__
#define BLAS(hip, cuda) hip
EXPORT int hipblasLtMatrixTransform() { return misused("a transformation"); }
EXPORT int rocblas_get_version_string(char* text, size_t bytes) {
  if (bytes < 6) return 1;
  std::strcpy(text, "4.2.1");
  return 0;
}
EXPORT int rocblas_set_atomics_mode(void* handle, int mode) { return is(handle, Kind::handle) && mode == 0 ? 0 : misused("atomics"); }
#else
#define BLAS(hip, cuda) cuda
EXPORT int cublasSetMathMode(void* handle, int mode) { return is(handle, Kind::handle) && mode == 16 ? 0 : misused("sums in bf16"); }
EXPORT int cublasGetProperty(int part, int* number) { return *number = part + 13, part < 3 ? 0 : 7; }
EXPORT int cublasLtGetProperty(int part, int* number) { return cublasGetProperty(part, number); }
#endif
EXPORT int BLAS(rocblas_create_handle, cublasCreate_v2)(void** made) { return make(made, Kind::handle, state.handles); }
EXPORT int BLAS(rocblas_destroy_handle, cublasDestroy_v2)(void* handle) { return destroy(handle, Kind::handle, state.handles); }
EXPORT int BLAS(rocblas_set_stream, cublasSetStream_v2)(void* handle, void*) { return is(handle, Kind::handle) ? 0 : misused("a handle"); }
#ifdef __HIP__
EXPORT int rocblas_gemm_ex(void* handle, int ta, int tb, int m, int n, int k, const float* alpha, const void* a, int aType, int lda, const void* b, int bType, int ldb,
                           const float* beta, const void* c, int cType, int ldc, void* d, int dType, int ldd, int sums, int algorithm, int32_t, uint32_t) {
  if (c != d || cType != dType || ldc != ldd || sums != 151 || algorithm != 0) return misused("rocblas_gemm_ex's arguments");
#else
EXPORT int cublasGemmEx(void* handle, int ta, int tb, int m, int n, int k, const float* alpha, const void* a, int aType, int lda, const void* b, int bType, int ldb,
                        const float* beta, void* d, int dType, int ldd, int sums, int algorithm) {
  if (sums != 68 || algorithm != -1) return misused("cublasGemmEx's arguments");
#endif
  for (int type : {aType, bType, dType})
    if (type != kBlasF32 && type != kBlasBf16) return misused("a type");
  if (!is(handle, Kind::handle) || (ta != kNo && ta != kYes) || (tb != kNo && tb != kYes) || aType != bType) return misused("the product's arguments");
  ++state.blasProducts;
  multiply(m, n, k, *alpha, {a, aType == kBlasF32, ta == kYes, lda}, {b, bType == kBlasF32, tb == kYes, ldb}, *beta, d, dType == kBlasF32, ldd, nullptr);
  return 0;
}
