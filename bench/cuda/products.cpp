// Matrix products against cuBLAS.
#include <string>

#include "comparators.hpp"
#include "harness.hpp"

namespace d16::bench {

namespace {

struct Product {
  int M, N, K;
  bool trans_b;
};

template <class T> struct Operands {
  Product p;
  int copies;
  Array<T> a, b, c;
  Cost cost;

  Operands(Product const& product, Number number)
      : p(product),
        copies(copies_for(bytes())),
        a(int64_t(p.M) * p.K, copies),
        b(int64_t(p.K) * p.N, copies),
        c(int64_t(p.M) * p.N, copies),
        cost{2.0 * p.M * p.N * p.K, 2.0 * p.M * p.N * p.K, bytes(), number} {
    a.fill(1), b.fill(2), c.poison();
  }
  double bytes() const { return (double(p.M) * p.K + double(p.K) * p.N + double(p.M) * p.N) * double(sizeof(T)); }
  double error() const {
    return sampled_error(c, 256, [this](int64_t i) {
      int64_t const m = i / p.N, n = i % p.N;
      double sum = 0;
      for (int64_t k = 0; k < p.K; ++k)
        sum += number_at(1, m * p.K + k, T()) * number_at(2, p.trans_b ? n * p.K + k : k * p.N + n, T());
      return sum;
    });
  }
};

template <class T> void ours(benchmark::State& state, Product const& p, Number number) {
  Operands<T> const o(p, number);
  kernels::Gemm<T> g{.M = p.M, .N = p.N, .K = p.K, .trans_b = p.trans_b};
  if (number == Number::tf32) g.precision = kernels::Precision::tf32;
  g.a = o.a.at(0), g.b = o.b.at(0), g.c = o.c.at(0);
  Array<char> const work(int64_t(gpu_kernels::gemm_work_bytes(g)), 1);
  g.work = work.at(0);
  auto run = [&](int copy) {
    g.a = o.a.at(copy), g.b = o.b.at(copy), g.c = o.c.at(copy);
    require_ok(gpu_kernels::gemm(g));
  };
  measure(state, o.cost, o.copies, run, [&] { return o.error(); });
}

template <class T> void theirs(benchmark::State& state, Product const& p, Number number) {
  Comparator const cublas = cublas_product(p.M, p.N, p.K, p.trans_b, number);
  Operands<T> const o(p, number);
  auto run = [&](int copy) { cublas.call(o.a.at(copy), o.b.at(copy), o.c.at(copy)); };
  measure(state, o.cost, o.copies, run, [&] { return o.error(); });
}

template <class T> void add(Product p, Number number) {
  std::string const layout = p.trans_b ? ", b as columns" : "";
  if (machine_is_small()) p.M = std::min(p.M, 96), p.N = std::min(p.N, 80), p.K = std::min(p.K, 72);
  std::string const stem = "products/" + std::to_string(p.M) + " x " + std::to_string(p.N) + " x " +
                           std::to_string(p.K) + layout + "/" + name(number) + "/";
  add_bench(stem + "d16", [=](benchmark::State& state) { ours<T>(state, p, number); });
  add_bench(stem + "cuBLAS", [=](benchmark::State& state) { theirs<T>(state, p, number); });
}

}  // namespace

void add_products() {
  for (Product const& p :
       {Product{4096, 4096, 4096, false}, Product{8192, 8192, 8192, true}, Product{65536, 64, 576, true},
        Product{16384, 192, 1728, true}, Product{64, 512, 4800, true}}) {
    add<float>(p, Number::float32);
    add<float>(p, Number::tf32);
    add<bf16>(p, Number::bf16);
  }
}

}  // namespace d16::bench
