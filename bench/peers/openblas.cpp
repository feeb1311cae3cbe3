// OpenBLAS's matrix products for a linear layer. f32 only.
#include <cblas.h>

#include <memory>
#include <stdexcept>
#include <vector>

#include "peer.h"

int main() {
  std::ostringstream about;
  about << openblas_get_config() << ", kernels for " << openblas_get_corename() << ", " << openblas_get_num_threads() << " threads";
  serve(about.str(), [](const Product& p) -> Run {
    if (p.dtype != "f32") throw std::runtime_error("it multiplies f32 only");
    const auto filled = [](long size) { return std::make_shared<std::vector<float>>(size, 0.01f); };
    const auto x = filled(p.n * p.d), weight = filled(p.f * p.d), y = filled(p.n * p.f);
    const int n = p.n, d = p.d, f = p.f;
    if (p.name == "forward")
      return [=] { cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, n, f, d, 1, x->data(), d, weight->data(), d, 0, y->data(), f); };
    if (p.name == "dx")
      return [=] { cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, n, d, f, 1, y->data(), f, weight->data(), d, 0, x->data(), d); };
    return [=] { cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, f, d, n, 1, y->data(), f, x->data(), d, 1, weight->data(), d); };
  });
}
