// The door to the vendor's libraries with fake.cpp in their place, on the emulator: which library a product goes to, what it is told, and that
// every product is right wherever it ends up. Each setting runs in a process of its own, because libraries are opened once.
#include <dlfcn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fake.h"
#include "hip/device.h"
#include "hip/gemm/gemm.h"
#include "hip/gemm/thin.h"
#include "hip/stream.h"

using namespace aurora;
using namespace aurora::test;

namespace {

#ifdef __HIP__
constexpr const char *kLt = "hipBLASLt", *kBlas = "rocBLAS", *kLtVersion = "0.8.1", *kBlasVersion = "4.2.1", *kFile = "libhipblaslt.so";
#else
constexpr const char *kLt = "cuBLASLt", *kBlas = "cuBLAS", *kLtVersion = "13.14.15", *kBlasVersion = "13.14.15", *kFile = "libcublasLt.so.13";
#endif

FakeVendor& fake() {
  static const auto function = reinterpret_cast<FakeVendor* (*)()>(dlsym(dlopen(kFile, RTLD_NOW | RTLD_LOCAL), "fakeVendor"));
  return *function();
}

struct Product {
  int64_t m, n, k;
  DType input, output;
  bool aTransposed, bTransposed, biased;
  float beta;
  int64_t gap, offset, biasOffset;  // elements

  std::string text() const {
    const auto number = [](auto x) { return std::to_string(x); };
    return std::string(name(input)) + " → " + name(output) + (aTransposed ? " aᵀ" : " a") + (bTransposed ? "·bᵀ " : "·b ") + number(m) + " × " + number(n) + " × " + number(k) +
           (biased ? ", bias" : "") + ", beta " + number(beta) + ", gap " + number(gap) + ", offsets " + number(offset) + " and " + number(biasOffset);
  }
};

struct Sizes {
  int64_t rows, columns;
};

/// Runs it `times` times on one stream, each from the same c, and checks every result.
void verify(const Product& p, int times = 1) {
  const Sizes aSizes = p.aTransposed ? Sizes{p.k, p.m} : Sizes{p.m, p.k}, bSizes = p.bTransposed ? Sizes{p.n, p.k} : Sizes{p.k, p.n};
  const auto stored = [&](DType type, Sizes sizes) { return Numbers::normal(type, {p.offset + sizes.rows * (sizes.columns + p.gap)}); };
  const Numbers a = stored(p.input, aSizes), b = stored(p.input, bSizes), c = stored(p.output, {p.m, p.n});
  const Numbers bias = Numbers::normal(p.output, {p.biasOffset + p.n});
  const auto at = [&](const Numbers& x, Sizes sizes, int64_t i, int64_t j) { return x[p.offset + i * (sizes.columns + p.gap) + j]; };
  Bench bench(hip::open(0));
  const auto start = [](const View& view, int64_t offset) { return view.as<std::byte>() + offset * static_cast<int64_t>(byteSize(view.dtype)); };
  const View av = bench.tensor(a), bv = bench.tensor(b), biasView = bench.tensor(bias);
  for (int run = 0; run < times; ++run) {
    const View cv = bench.tensor(c);
    const hip::Gemm gemm{p.m,           p.n,
                         p.k,           start(av, p.offset),
                         aSizes.columns + p.gap, p.aTransposed,
                         start(bv, p.offset), bSizes.columns + p.gap,
                         p.bTransposed, start(cv, p.offset),
                         p.n + p.gap,   p.input,
                         p.output,      0.5f,
                         p.beta};
    const hip::Epilogue epilogue{p.biased ? start(biasView, p.biasOffset) : nullptr};
    static_cast<hip::GpuStream&>(bench.stream()).submit("gemm", [&](hip::Context& context) { hip::gemm(context, gemm, epilogue); });
    const Numbers found = bench.read(cv);
    for (int64_t i = 0; i < c.size(); ++i) {
      const int64_t row = (i - p.offset) / (p.n + p.gap), column = (i - p.offset) % (p.n + p.gap);
      double expected = c[i], tolerance = 0;
      if (i >= p.offset && column < p.n) {
        double sum = 0, magnitude = 0;
        for (int64_t k = 0; k < p.k; ++k) {
          const double term = at(a, aSizes, p.aTransposed ? k : row, p.aTransposed ? row : k) * at(b, bSizes, p.bTransposed ? column : k, p.bTransposed ? k : column);
          sum += term;
          magnitude += std::fabs(term);
        }
        expected = 0.5 * sum + p.beta * (p.beta != 0 ? c[i] : 0) + (p.biased ? bias[p.biasOffset + column] : 0);
        tolerance = 2e-6 * (1 + std::fabs(expected)) + 4e-7 * magnitude;
      }
      if (near(found, i, expected, tolerance)) continue;
      check(false, p.text() + ": element " + std::to_string(i) + " is " + std::to_string(found[i]) + ", expected " + std::to_string(expected));
      break;
    }
  }
}

Product anyProduct() {
  constexpr std::pair<DType, DType> types[] = {{DType::f32, DType::f32}, {DType::bf16, DType::bf16}, {DType::bf16, DType::f32}};
  constexpr std::pair<bool, bool> transposes[] = {{false, true}, {false, false}, {true, false}};
  const auto [input, output] = types[between(0, 2)];
  const auto [aTransposed, bTransposed] = transposes[between(0, 2)];
  const bool biased = between(0, 1) == 1;
  return {between(hip::kThinRows + 1, 60), between(1, 60), between(1, 60), input, output, aTransposed, bTransposed, biased, between(0, 1) == 1 ? 1.0f : 0.0f, between(0, 3), 8 * between(0, 2), 8 * between(0, 2)};
}

/// The libraries' counts that `body` adds.
struct Counts {
  int lt, blas, biased, choices;
  static Counts of(const std::function<void()>& body) {
    const FakeVendor before = fake();
    body();
    const FakeVendor& after = fake();
    return {after.ltProducts - before.ltProducts, after.blasProducts - before.blasProducts, after.biased - before.biased, after.choices - before.choices};
  }
};

void bothLibraries() {
  for (int i = 0; i < 40; ++i) {
    const Product p = anyProduct();
    fake().workspace = i % 2 ? size_t{32} << 20 : 0;
    const Counts counts = Counts::of([&] { verify(p, 2); });
    check(counts.lt == 2 && counts.blas == 0 && counts.biased == (p.biased ? 2 : 0) && counts.choices == 1, p.text() + ": by the first library, its algorithm chosen once");
  }
  fake().workspace = (size_t{32} << 20) + 1;
  for (const char* why : {"the workspace is too small", "no algorithm", "a refused product", "an odd address"}) {
    Product p = anyProduct();
    p.beta = 0;
    p.offset = p.biasOffset = 8;
    if (std::string(why) == "an odd address") {
      p.biased = true;
      p.biasOffset = 1;
    }
    const Counts counts = Counts::of([&] { verify(p); });
    const bool odd = std::string(why) == "an odd address";
    // Without the odd bias, which is in c then, the first library takes it.
    check(odd ? counts.lt == 1 && counts.biased == 0 && counts.blas == 0 : counts.lt == 0 && counts.blas == 1, p.text() + ": " + why);
    fake().declines = std::string(why) == "the workspace is too small";
    fake().fails = std::string(why) == "no algorithm";
    fake().workspace = 0;
  }
  Product odd = anyProduct();
  odd.biased = false;
  odd.offset = 1;
  Counts counts = Counts::of([&] { verify(odd); });
  check(counts.lt == 0 && counts.blas == 1, odd.text() + ": odd addresses go to the second library");
  Product thin = anyProduct();
  thin.m = hip::kThinRows;
  counts = Counts::of([&] { verify(thin); });
  check(counts.lt == 0 && counts.blas == 0, "few rows stay here");
}

void only(int lt, int blas) {
  for (int i = 0; i < 10; ++i) {
    Product p = anyProduct();
    p.beta = 0;
    const Counts counts = Counts::of([&] { verify(p); });
    check(counts.lt == lt && counts.blas == blas && counts.biased == (p.biased ? lt : 0), p.text() + ": by the library that is allowed");
  }
}

void described(bool lt, bool blas) {
  const auto libraries = hip::vendorLibraries();
  check(libraries.size() == 2 && libraries[0].name == kLt && libraries[1].name == kBlas, "both libraries are named");
  const auto expect = [](const hip::VendorLibrary& library, bool used, const char* version) {
    check(used ? library.error.empty() && library.version == version && library.path.find(".so") != std::string::npos
               : library.error.find("AURORA_VENDOR_GEMM") == 0 && library.path.empty(),
          library.name + ": " + library.path + ", " + library.version + ", " + library.error);
  };
  expect(libraries[0], lt, kLtVersion);
  expect(libraries[1], blas, kBlasVersion);
  check(hip::vendorFound() == (lt || blas), "whether one is there");
}

struct Setting {
  const char* value;  // of AURORA_VENDOR_GEMM
  bool lt, blas;
};

void run(const Setting& setting) {
  setenv("AURORA_VENDOR_GEMM", setting.value, 1);
  described(setting.lt, setting.blas);
  if (setting.lt && setting.blas)
    bothLibraries();
  else
    only(setting.lt, setting.blas);
  check(!fake().misuse, std::string("the libraries are used as they want: ") + (fake().misuse ? fake().misuse : ""));
  check(fake().handles == 0 && fake().descriptors == 0, "everything made is destroyed");
}

}  // namespace

int main() {
  for (const Setting& setting : {Setting{"", true, true}, {"lt", true, false}, {"blas", false, true}, {"0", false, false}, {"yes", false, false}}) {
    engine.discard(1000);
    std::fflush(nullptr);
    const pid_t child = fork();
    if (child == 0) {
      failures = 0;  // of other settings
      run(setting);
      std::fflush(nullptr);
      _exit(failures ? 1 : 0);
    }
    int status = 0;
    check(waitpid(child, &status, 0) == child && status == 0, std::string("AURORA_VENDOR_GEMM=") + setting.value);
  }
  return finish("vendor libraries");
}
