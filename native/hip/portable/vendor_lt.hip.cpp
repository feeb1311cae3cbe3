// hipBLASLt and cuBLASLt: products with a bias, and on the whole the faster kernels. The two have the same functions after the prefix, and nearly
// the same numbers.
#include <cstdint>
#include <map>
#include <tuple>
#include <utility>

#include "hip/portable/vendor_library.h"

namespace aurora::hip {
namespace {

using Handle = void*;
using Descriptor = void*;  // of a product, of a matrix, of preferences

#ifdef __HIP__
#define AURORA_LT(name) "hipblasLt" #name
constexpr uint32_t kNoTranspose = 111, kTranspose = 112;
constexpr int kSumsF32 = 2;
enum ProductAttribute { kTransposeA = 0, kTransposeB = 1, kEpilogue = 2, kBiasPointer = 3, kBiasType = 4 };
constexpr size_t kAlgorithmWords = 3;
#else
#define AURORA_LT(name) "cublasLt" #name
constexpr uint32_t kNoTranspose = 0, kTranspose = 1;
constexpr int kSumsF32 = 68;
enum ProductAttribute { kTransposeA = 3, kTransposeB = 4, kEpilogue = 7, kBiasPointer = 8, kBiasType = 26 };
constexpr size_t kAlgorithmWords = 8;
constexpr int kReductionSchemes = 3, kAlignmentA = 5, kAlignmentB = 6, kAlignmentC = 7, kAlignmentD = 8;  // preferences
constexpr uint32_t kSumsInOrder = 2;  // parts of k are added in f32 by a kernel of its own, not by each block in place
#endif
constexpr int kMostWorkspace = 1;      // a preference
constexpr uint32_t kWithBias = 4;      // an epilogue
constexpr uint64_t kWorkspace = uint64_t{32} << 20;
constexpr size_t kMostChoices = 4096;  // of algorithms, kept for shapes

/// What the heuristics answer.
struct Choice {
  uint64_t algorithm[kAlgorithmWords];
  size_t workspace;
  int status;
  float waves;
  int reserved[4];
};
static_assert(sizeof(Choice) == kAlgorithmWords * 8 + 32);

using SetAttribute = int (*)(Descriptor, int attribute, const void* value, size_t bytes);
using DestroyDescriptor = int (*)(Descriptor);

struct Lt {
#ifdef __HIP__
  OpenedLibrary library{"hipBLASLt", "lt", {"libhipblaslt.so", "libhipblaslt.so.1", "libhipblaslt.so.0", "/opt/rocm/lib/libhipblaslt.so"}};
#else
  OpenedLibrary library{
      "cuBLASLt", "lt", {"libcublasLt.so.13", "libcublasLt.so.12", "libcublasLt.so.11", "libcublasLt.so", "/usr/local/cuda/lib64/libcublasLt.so"}};
#endif
  int (*create)(Handle*) = nullptr;
  int (*destroy)(Handle) = nullptr;
  int (*createProduct)(Descriptor*, int sums, int scale) = nullptr;
  int (*createMatrix)(Descriptor*, int type, uint64_t rows, uint64_t columns, int64_t stride) = nullptr;
  int (*createPreferences)(Descriptor*) = nullptr;
  DestroyDescriptor destroyProduct = nullptr, destroyMatrix = nullptr, destroyPreferences = nullptr;
  SetAttribute setProduct = nullptr, setPreference = nullptr;
  int (*choose)(Handle, Descriptor product, Descriptor a, Descriptor b, Descriptor c, Descriptor d, Descriptor preferences, int most, Choice*, int* found) = nullptr;
  int (*multiply)(Handle, Descriptor product, const void* alpha, const void* a, Descriptor, const void* b, Descriptor, const void* beta, const void* c, Descriptor, void* d,
                  Descriptor, const void* algorithm, void* workspace, size_t bytes, void* stream) = nullptr;

  Lt() {
    if (!library.usable()) return;
    library.need(create, AURORA_LT(Create));
    library.need(destroy, AURORA_LT(Destroy));
    library.need(createProduct, AURORA_LT(MatmulDescCreate));
    library.need(destroyProduct, AURORA_LT(MatmulDescDestroy));
    library.need(setProduct, AURORA_LT(MatmulDescSetAttribute));
    library.need(createMatrix, AURORA_LT(MatrixLayoutCreate));
    library.need(destroyMatrix, AURORA_LT(MatrixLayoutDestroy));
    library.need(createPreferences, AURORA_LT(MatmulPreferenceCreate));
    library.need(destroyPreferences, AURORA_LT(MatmulPreferenceDestroy));
    library.need(setPreference, AURORA_LT(MatmulPreferenceSetAttribute));
    library.need(choose, AURORA_LT(MatmulAlgoGetHeuristic));
    library.need(multiply, AURORA_LT(Matmul));
#ifdef __HIP__
    // Came in 0.6 (ROCm 6.0), with these numbers for types.
    void (*transform)() = nullptr;
    library.need(transform, AURORA_LT(MatrixTransform));
    library.described().version = versionOfFile(library.described().path);
#else
    int (*property)(int, int*) = nullptr;
    if (library.find(property, AURORA_LT(GetProperty))) library.described().version = versionOf(property);
#endif
  }
};

/// Never opened when no product asks for it.
const Lt& lt() {
  static const Lt opened;
  return opened;
}

class Owned {
 public:
  Owned(Descriptor descriptor, DestroyDescriptor destroy) : descriptor_(descriptor), destroy_(destroy) {}
  Owned(Owned&& other) noexcept : descriptor_(std::exchange(other.descriptor_, nullptr)), destroy_(other.destroy_) {}
  Owned& operator=(Owned&&) = delete;
  ~Owned() {
    if (descriptor_) destroy_(descriptor_);
  }
  operator Descriptor() const { return descriptor_; }

 private:
  Descriptor descriptor_;
  DestroyDescriptor destroy_;
};

/// A row-major matrix as stored: its rows are the library's columns. Null when the library declines.
Owned matrix(DType type, int64_t rows, int64_t columns, int64_t stride) {
  Descriptor made = nullptr;
  const int status = lt().createMatrix(&made, typeCode(type), static_cast<uint64_t>(columns), static_cast<uint64_t>(rows), stride);
  return {status == 0 ? made : nullptr, lt().destroyMatrix};
}

template <class Value>
bool set(SetAttribute setter, Descriptor descriptor, int attribute, Value value) {
  return setter(descriptor, attribute, &value, sizeof value) == 0;
}

/// The alignment that an algorithm may count on; 0 for an address that is left to others.
uint32_t alignmentOf(const void* p) {
  const auto address = reinterpret_cast<uintptr_t>(p);
  return address % 256 == 0 ? 256 : address % 16 == 0 ? 16 : 0;
}

class LtHandle final : public VendorHandle {
 public:
  LtHandle(Handle handle, Queue queue) : handle_(handle), queue_(queue) {}
  ~LtHandle() override {
    if (workspace_) runtime::release(workspace_);
    lt().destroy(handle_);
  }

  bool gemm(const Gemm& gemm) override {
    const Alignments alignments{alignmentOf(gemm.a), alignmentOf(gemm.b), alignmentOf(gemm.c)};
    if (!alignments.a || !alignments.b || !alignments.c || !alignmentOf(gemm.bias)) return false;
    // The libraries think in columns: they see every matrix transposed, and cᵀ = bᵀ·aᵀ.
    const Owned product = describe(gemm);
    const Owned b = gemm.bTransposed ? matrix(gemm.input, gemm.n, gemm.k, gemm.bStride) : matrix(gemm.input, gemm.k, gemm.n, gemm.bStride);
    const Owned a = gemm.aTransposed ? matrix(gemm.input, gemm.k, gemm.m, gemm.aStride) : matrix(gemm.input, gemm.m, gemm.k, gemm.aStride);
    const Owned c = matrix(gemm.output, gemm.m, gemm.n, gemm.cStride);
    if (!product || !a || !b || !c) return false;

    const Key key{gemm.m,           gemm.n,           gemm.k,     gemm.aStride, gemm.bStride, gemm.cStride,         gemm.aTransposed,
                  gemm.bTransposed, gemm.input, gemm.output,  alignments.a, alignments.b, alignments.c, gemm.bias != nullptr};
    auto known = choices_.find(key);
    if (known == choices_.end()) {
      if (choices_.size() == kMostChoices) choices_.clear();
      known = choices_.emplace(key, choose(product, a, b, c, alignments)).first;
    }
    const Choice& choice = known->second;
    if (choice.status != 0 || !reserve(choice.workspace)) return false;
    return lt().multiply(handle_, product, &gemm.alpha, gemm.b, b, gemm.a, a, &gemm.beta, gemm.c, c, gemm.c, c, choice.algorithm, workspace_,
                         workspace_ ? kWorkspace : 0, queue_.native) == 0;
  }

 private:
  struct Alignments {
    uint32_t a, b, c;
  };
  using Key = std::tuple<int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, bool, bool, DType, DType, uint32_t, uint32_t, uint32_t, bool>;

  static Owned describe(const Gemm& gemm) {
    Descriptor made = nullptr;
    const bool created = lt().createProduct(&made, kSumsF32, kTypeF32) == 0;
    Owned product(created ? made : nullptr, lt().destroyProduct);
    const auto setProduct = [&](int attribute, auto value) { return set(lt().setProduct, made, attribute, value); };
    const bool described = created && setProduct(kTransposeA, gemm.bTransposed ? kTranspose : kNoTranspose) &&
                           setProduct(kTransposeB, gemm.aTransposed ? kTranspose : kNoTranspose);
    const bool biased = !gemm.bias || (described && setProduct(kEpilogue, kWithBias) && setProduct(kBiasPointer, gemm.bias) &&
                                       setProduct(kBiasType, static_cast<int32_t>(typeCode(gemm.output))));
    return described && biased ? std::move(product) : Owned(nullptr, nullptr);
  }

  /// The algorithm that is expected to be the fastest, among those that give the same bits each time; status ≠ 0 when there is none.
  Choice choose(Descriptor product, Descriptor a, Descriptor b, Descriptor c, [[maybe_unused]] const Alignments& alignments) const {
    Choice choice{};
    choice.status = -1;
    Descriptor made = nullptr;
    if (lt().createPreferences(&made) != 0) return choice;
    const Owned preferences(made, lt().destroyPreferences);
    bool preferred = set(lt().setPreference, made, kMostWorkspace, kWorkspace);
#ifndef __HIP__
    // hipBLASLt has no such preferences.
    for (const auto& [attribute, value] : {std::pair{kReductionSchemes, kSumsInOrder}, std::pair{kAlignmentA, alignments.b},
                                           std::pair{kAlignmentB, alignments.a}, std::pair{kAlignmentC, alignments.c}, std::pair{kAlignmentD, alignments.c}})
      preferred = preferred && set(lt().setPreference, made, attribute, value);
#endif
    int found = 0;
    Choice answer{};
    if (preferred && lt().choose(handle_, product, b, a, c, c, preferences, 1, &answer, &found) == 0 && found == 1 && answer.workspace <= kWorkspace) return answer;
    return choice;
  }

  /// The workspace of a queue's products, which run one after another.
  bool reserve(size_t bytes) {
    if (bytes == 0 || workspace_) return true;
    workspace_ = runtime::allocate(kWorkspace);
    return workspace_ != nullptr;
  }

  const Handle handle_;
  const Queue queue_;
  void* workspace_ = nullptr;
  std::map<Key, Choice> choices_;
};

}  // namespace

const VendorLibrary& ltLibrary() { return lt().library.described(); }

std::unique_ptr<VendorHandle> openLt(Queue queue) {
  Handle handle = nullptr;
  if (!lt().library.usable() || lt().create(&handle) != 0) return nullptr;
  return std::make_unique<LtHandle>(handle, queue);
}

}  // namespace aurora::hip
