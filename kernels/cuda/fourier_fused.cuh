// The factored group convolution in one kernel, for C_n and D_n with n = 4, 8, 16: fetch, transform, project, multiply,
// transform back, scale, shift, ReLU.
#pragma once
#include "fourier_features.cuh"

namespace d16::kernels {
namespace D16_GPU {
namespace fourier {

/// One block of 256 threads: a tile of pixels, eight wide, by 24 output fields by all coefficients, whose sums stay in
/// the registers of eight warps: 96 for each thread. Pixels times order is 1024, whatever the group, so a warp always
/// has 32 pixels and four coefficients.
template <class Transform> struct FusedTile : PixelTile<Transform, 1024 / Transform::order> {
  using PixelTile<Transform, 1024 / Transform::order>::order;
  static constexpr int threads = 256, warps = threads / 32, fields = WarpTile::fields;

  /// Exchange of sums between warps: pixels by eight fields by all coefficients, with pads against bank conflicts.
  static constexpr int field_pitch = order + 4, pixel_pitch = 8 * field_pitch + 4;
  static constexpr size_t exchange_words = size_t(FusedTile::pixels) * pixel_pitch;
};

/// Parameters of the fused kernel. Weights as pack_weights lays them out.
template <class E> struct FusedArgs {
  Features<E> in;
  int Co;
  float const *scale, *shift;
  E* y;
  uint32_t const* weights;
  bool relu, coefficients;  ///< coefficients: y is written as its Fourier coefficients
};

/// Stage 3: the products of a pass, in steps of two planes. The weights of a step are on their way during the one
/// before: each has one user in the block, so they come from L2 without a stop in shared memory.
template <class Products, class Transform, bool first>
__device__ __forceinline__ void multiply_steps(Sums& sum, uint32_t const* weights, uint32_t const* panel, int planes,
                                               int steps, int lane) {
  using Tile = FusedTile<Transform>;
  constexpr int plane = Tile::pixels * words_per_pixel;
  typename Products::Weights now, next;
  Products::load(now, weights, lane);
#pragma unroll 1
  for (int s = 0; s < steps; ++s) {
    uint32_t const* const step = weights + s * Tile::units * words_per_step;
    if (s + 1 < steps) Products::load(next, step + Tile::units * words_per_step, lane);
    Products::template multiply<Transform::mirrored, first>(sum, now, step, panel + 2 * s * plane, planes * plane,
                                                            plane, lane);
    now = next;
  }
}

/// What becomes of the sums of one field at one pixel: back to values, scale, shift and ReLU, and where the next layer
/// reads coefficients, to these. Neighbouring lanes have neighbouring fields, and write them together: all lanes of a
/// warp come here, also those whose field does not exist.
template <class Transform, class E>
__device__ __forceinline__ void write_field(FusedArgs<E> const& a, float const* sums, int o, bool exists, E* to) {
  constexpr int order = Transform::order;
  Ending<float> const ending{a.scale, a.shift, a.relu};
  float f[order], y[order];
  unrolled<order / 4>([&](auto i) {
    float4 const v = *reinterpret_cast<float4 const*>(sums + 4 * i);
    f[4 * i] = v.x, f[4 * i + 1] = v.y, f[4 * i + 2] = v.z, f[4 * i + 3] = v.w;
  });
  Transform::transpose(f, y);
  unrolled<order>([&](auto i) { y[i] = exists ? ending(y[i], o) : 0.0f; });
  if (a.coefficients) {
    Transform::forward(y, f);
    write_values_of_pair(to, f, exists);
  } else {
    write_values_of_pair(to, y, exists);
  }
}

/// Stage 4: eight fields at a time, the warps exchange their coefficients and each thread transforms some fields back.
template <class Transform, class E>
__device__ __forceinline__ void finish(FusedArgs<E> const& a, typename FusedTile<Transform>::Place const& at, int block,
                                       Sums const& sum, float* exchange) {
  using Tile = FusedTile<Transform>;
  int const lane = int(threadIdx.x) % 32, warp = int(threadIdx.x) / 32, unit = warp % Tile::units;
  float* const own = exchange + (warp / Tile::units * WarpTile::pixels + lane / 4) * Tile::pixel_pitch +
                     lane % 4 * 2 * Tile::field_pitch + 4 * unit;
  Geometry const& g = a.in.g;
  unrolled<WarpTile::columns>([&](auto j) {
    unrolled<WarpTile::rows>([&](auto i) {
      unrolled<4>([&](auto e) {
        float* const to = own + (i * 16 + e / 2 * 8) * Tile::pixel_pitch + e % 2 * Tile::field_pitch;
        *reinterpret_cast<float4*>(to) =
            make_float4(sum[0][i][j][e], sum[1][i][j][e], sum[2][i][j][e], sum[3][i][j][e]);
      });
    });
    __syncthreads();
#pragma unroll 1
    for (int task = int(threadIdx.x); task < Tile::pixels * 8; task += Tile::threads) {  // whole warps
      int const pixel = task / 8, field = task % 8, o = block * Tile::fields + j * 8 + field;
      int const p = at.p + pixel / Tile::width, q = at.q + pixel % Tile::width;
      write_field<Transform>(a, exchange + pixel * Tile::pixel_pitch + field * Tile::field_pitch, o,
                             p < g.P && q < g.Q && o < a.Co,
                             a.y + (((int64_t(at.n) * g.P + p) * g.Q + q) * a.Co + o) * Tile::order);
    }
    __syncthreads();
  });
}

/// Grid: one block for each image, tile of pixels and 24 output fields. Input fields come in chunks of four words,
/// slots in passes. While one half of the warps multiplies, the other fetches the next chunk; then they change over.
template <class Products, class Transform, class E> __global__ void __launch_bounds__(256, 1)
    fused(FusedArgs<E> const a) {
  using Tile = FusedTile<Transform>;
  constexpr int chunk_fields = words_per_pixel * Products::fields, panel_words = 1024 * words_per_pixel;
  Features<E> const& in = a.in;
  int const lane = int(threadIdx.x) % 32, warp = int(threadIdx.x) / 32, unit = warp % Tile::units;
  gpu::Smem smem;
  uint32_t* const coefficients = smem.take<uint32_t>(size_t(Tile::order * Halo<Tile>(in.g).size() * words_per_pixel));
  uint32_t* const panels = smem.take<uint32_t>(max(size_t(panel_words) * in.planes, Tile::exchange_words));
  // blocks of fields of the same pixels are neighbours: they share the input in L2
  int const blocks = (a.Co + Tile::fields - 1) / Tile::fields, block = int(blockIdx.x) % blocks;
  typename Tile::Place const at(in.g, int(blockIdx.x) / blocks);
  int const chunks = (in.fields + chunk_fields - 1) / chunk_fields, passes = in.passes();
  uint32_t const* weights =
      a.weights + (int64_t(block) * chunks * (in.slots() / 2) * Tile::units + unit) * words_per_step;
  uint32_t const* const own_panel =
      panels + (unit * 4 * in.planes * Tile::pixels + warp / Tile::units * WarpTile::pixels) * words_per_pixel;
  Sums sum = {};
  fetch<Products, Tile>(in, at, 0, coefficients);
  __syncthreads();
#pragma unroll 1
  for (int i = 0; i < chunks * passes; ++i) {
    int const pass = i % passes, steps = in.slots_of(pass) / 2;
    project<Products, Tile>(in, coefficients, panels, pass);
    __syncthreads();  // the planes are complete, and after the last pass nobody needs the coefficients
#pragma unroll 1
    for (int phase = 0; phase < 2; ++phase)
      if (phase == warp / 4) {
        if (unit == 0) multiply_steps<Products, Transform, true>(sum, weights, own_panel, in.planes, steps, lane);
        else if constexpr (Tile::units > 1)
          multiply_steps<Products, Transform, false>(sum, weights, own_panel, in.planes, steps, lane);
      } else if (pass == passes - 1 && i + 1 < chunks * passes) {
        fetch<Products, Tile>(in, at, (i / passes + 1) * chunk_fields, coefficients);
      }
    weights += steps * Tile::units * words_per_step;
    __syncthreads();  // the planes are free, and the next coefficients are there
  }
  finish<Transform>(a, at, block, sum, reinterpret_cast<float*>(panels));
}

/// Weights (Co,Ci,V,order) as `fused` reads them: blocks of 24 output fields, chunks of input fields, pairs of slots,
/// units of four coefficients, the words of a step; zeros where there is no such field or slot. One thread for each
/// word.
template <class Products>
__global__ void pack_weights(Tables<float> t, int Ci, int Co, int64_t count, float const* w, uint32_t* out) {
  constexpr int chunk_fields = words_per_pixel * Products::fields;
  int const pairs = (t.V + 1) / 2, units = t.order / 4, chunks = (Ci + chunk_fields - 1) / chunk_fields;
  for (int64_t i = gpu::this_thread(); i < count; i += gpu::all_threads()) {
    int const within = int(i % words_per_step), field = within % WarpTile::fields,
              entry = within / WarpTile::fields % 4;
    int const word = within / WarpTile::fields / 4 % words_per_pixel,
              plane = within / WarpTile::fields / 4 / words_per_pixel;
    int64_t const step = i / words_per_step;
    int const unit = int(step % units), pair = int(step / units % pairs), chunk = int(step / units / pairs % chunks);
    int const o = int(step / units / pairs / chunks) * WarpTile::fields + field, slot = 2 * pair + plane;
    auto value = [&](int c) {
      if (o >= Co || c >= Ci || slot >= t.V) return 0.0f;
      return weight_coefficient(t, w + (int64_t(o) * Ci + c) * t.V * t.slots, 4 * unit + entry, slot);
    };
    int const c = chunk * chunk_fields + word * Products::fields;
    uint32_t* const to = out + step * words_per_step + Products::weight_word(plane, word, entry, field);
    if constexpr (Products::fields == 2) *to = Products::operand({value(c), value(c + 1)});
    else *to = Products::operand(value(c));
  }
}

/// A convolution between group features by the fused kernel, or its adjoint, which is one of the same kind. E: what
/// features are in memory.
template <class Products, class E = float> class Fused {
 public:
  Fused(GroupConv2d<E> const& a, bool adjoint)
      : plan_(plan_of<float>({a, Sides::regular})),
        in_(Describe<E>(a, plan_, adjoint ? Geometry::adjoint(a) : Geometry::forward(a), adjoint ? a.Co : a.Ci,
                        [](auto const&... of) { return shared_bytes(of...); })
                .f),
        Co_(adjoint ? a.Ci : a.Co) {}
  /// Whether its working set fits a block.
  bool fits() const { return in_.planes > 0; }

  size_t work_bytes(GroupConv2d<E> const& a, bool adjoint) const {
    Scratch scratch(nullptr);
    Pieces(*this, scratch, adjoint, a.packed && !adjoint);
    return scratch.used;
  }

  int convolve(GroupConv2d<E> const& a, bool adjoint, E const* x, float const* norm, Ending<float> ending, E* y) const {
    bool const packed = a.packed && !adjoint;
    if (!fits()) return unsupported;
    Tables<float> const t = plan_.on_device();
    if (!t.order) return unsupported;
    Scratch scratch(a.work);
    Pieces const at(*this, scratch, adjoint, packed);
    float const* w = a.w;
    if (adjoint) launch_adjoint(t, a, at.adjoint), w = at.adjoint;
    if (!packed) launch_pack(t, w, at.packed);
    FusedArgs<E> args{};
    args.in = in_, args.Co = Co_, args.y = y;
    args.in.x = x, args.in.norm = norm, args.in.route = t.route, args.in.taps = t.taps;
    args.in.coefficients = a.x_coefficients && !adjoint, args.coefficients = a.y_coefficients && !adjoint;
    args.weights = packed ? reinterpret_cast<uint32_t const*>(a.packed) : at.packed;
    args.scale = ending.scale, args.shift = ending.bias, args.relu = ending.relu;
    return with_transform(a.group, [&](auto transform) {
      using Tile = FusedTile<decltype(transform)>;
      int64_t const blocks = Tile::tiles(in_.g) * dense::ceil_div(Co_, Tile::fields);
      if (blocks > 0x7fffffff) return int(unsupported);
      return gpu::launch(fused<Products, decltype(transform), E>, dim3(unsigned(blocks)), dim3(Tile::threads),
                         shared_bytes(in_, transform), gpu::current_stream(), args);
    });
  }

  /// How many words packed weights have, and what writes them.
  int64_t packed_count() const {
    int64_t const blocks = dense::ceil_div(Co_, WarpTile::fields);
    int64_t const chunks = dense::ceil_div(in_.fields, words_per_pixel * Products::fields);
    return blocks * chunks * (in_.slots() / 2) * (plan_.sizes().order / 4) * words_per_step;
  }
  int pack(GroupConv2d<E> const& a) const {
    Tables<float> const t = plan_.on_device();
    return t.order ? launch_pack(t, a.w, reinterpret_cast<uint32_t*>(a.packed)) : int(unsupported);
  }

 private:
  template <class Transform> static size_t shared_bytes(Features<E> const& in, Transform) {
    using Tile = FusedTile<Transform>;
    return gpu::Smem::bytes<uint32_t>(size_t(Tile::order) * size_t(Halo<Tile>(in.g).size() * words_per_pixel)) +
           gpu::Smem::bytes<uint32_t>(
               std::max(size_t(1024 * words_per_pixel) * size_t(in.planes), Tile::exchange_words));
  }
  int launch_pack(Tables<float> const& t, float const* w, uint32_t* to) const {
    return gpu::launch(pack_weights<Products>, gpu::blocks_for(packed_count(), 256), dim3(256), 0,
                       gpu::current_stream(), t, in_.fields, Co_, packed_count(), w, to);
  }
  struct Pieces {
    float* adjoint;
    uint32_t* packed;
    Pieces(Fused const& f, Scratch& scratch, bool for_adjoint, bool is_packed) {
      int64_t const weights = int64_t(f.in_.fields) * f.Co_ * f.in_.V * f.plan_.sizes().order;
      adjoint = scratch.take<float>(for_adjoint ? weights : 0);
      packed = scratch.take<uint32_t>(is_packed ? 0 : f.packed_count());
    }
  };

  Plan<float> const& plan_;
  Features<E> in_;
  int Co_;
};

}  // namespace fourier
}  // namespace D16_GPU
}  // namespace d16::kernels
