// oneDNN's matrix products for a linear layer, on plain row-major matrices: training changes the weights in every step, so that
// packing them beforehand would not count.
#include <oneapi/dnnl/dnnl.hpp>

#include "peer.h"

using namespace dnnl;

int main() {
  const engine cpu(engine::kind::cpu, 0);
  const version_t* version = dnnl_version();
  std::ostringstream about;
  about << "oneDNN " << version->major << '.' << version->minor << '.' << version->patch;
  serve(about.str(), [&](const Product& p) -> Run {
    using type = memory::data_type;
    using tag = memory::format_tag;
    const type in = p.dtype == "bf16" ? type::bf16 : type::f32;
    const bool isForward = p.name == "forward", isWeight = p.name == "dweight";
    // out [rows, columns] = left [rows, inner] · right [inner, columns]
    const memory::dim rows = isWeight ? p.f : p.n, columns = isForward ? p.f : p.d, inner = isForward ? p.d : isWeight ? p.n : p.f;
    const memory::desc left({rows, inner}, in, isWeight ? tag::ba : tag::ab), right({inner, columns}, in, isForward ? tag::ba : tag::ab);
    const memory::desc out({rows, columns}, isWeight ? type::f32 : in, tag::ab);
    primitive_attr attributes;
    if (isWeight) {  // main gradients are added to
      post_ops add;
      add.append_sum(1);
      attributes.set_post_ops(add);
    }
#if DNNL_VERSION_MAJOR >= 3
    const matmul product(matmul::primitive_desc(cpu, left, right, out, attributes));
#else
    const matmul product(matmul::primitive_desc(matmul::desc(left, right, out), attributes, cpu));
#endif
    stream stream(cpu);
    const memory a(left, cpu), b(right, cpu), c(out, cpu);
    for (const memory& m : {a, b, c}) {
      char* bytes = static_cast<char*>(m.get_data_handle());
      // 0x3c3c is 0.0115 as bf16, 0x3c3c3c3c nearly the same as f32.
      std::fill(bytes, bytes + m.get_desc().get_size(), 0x3c);
    }
    return [=]() mutable {
      product.execute(stream, {{DNNL_ARG_SRC, a}, {DNNL_ARG_WEIGHTS, b}, {DNNL_ARG_DST, c}});
      stream.wait();
    };
  });
}
