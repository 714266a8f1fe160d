// The C interface of include/d16.h: no exception leaves it; each becomes a code and a message of this thread.
#include <d16.h>

#include <d16/nn/predictor.hpp>
#include <new>

struct d16_model {
  d16::Predictor predict;
};

namespace {

std::string& last_error() {
  static thread_local std::string message;
  return message;
}

int fail(int code, char const* message) noexcept {
  try {
    last_error() = message;
  } catch (...) {
    last_error().clear();
  }
  return code;
}

/// Runs `body`, which may throw, and gives what the caller of C needs: a code.
template <class F> int guarded(F const& body) noexcept {
  try {
    body();
    return D16_OK;
  } catch (d16::WeightsError const& e) {
    return fail(D16_E_WEIGHTS, e.what());
  } catch (d16::FileError const& e) {
    return fail(D16_E_FILE, e.what());
  } catch (d16::ShapeError const& e) {
    return fail(D16_E_SHAPE, e.what());
  } catch (d16::DeviceError const& e) {
    return fail(D16_E_DEVICE, e.what());
  } catch (d16::OutOfMemory const& e) {
    return fail(D16_E_MEMORY, e.what());
  } catch (std::bad_alloc const&) {
    return fail(D16_E_MEMORY, "out of memory");
  } catch (d16::ValueError const& e) {
    return fail(D16_E_ARGUMENT, e.what());
  } catch (std::exception const& e) {
    return fail(D16_E_OTHER, e.what());
  } catch (...) {
    return fail(D16_E_OTHER, "unknown error");
  }
}

void need(bool condition, char const* message) { d16::require<d16::ValueError>(condition, message); }

}  // namespace

extern "C" {

int d16_version(void) { return D16_VERSION; }

int d16_open(char const* weights, char const* device, d16_model** out) {
  if (out) *out = nullptr;
  return guarded([&] {
    need(weights && out, "d16_open: weights and out must not be NULL");
    d16::Device where = device ? d16::Device(device) : d16::Device();
    *out = new d16_model{d16::Predictor(weights, {.device = where})};
  });
}

int d16_shape(d16_model const* model, int64_t input[4], int64_t output[2]) {
  return guarded([&] {
    need(model && input && output, "d16_shape: model, input and output must not be NULL");
    d16::Shape in = model->predict.input(), out = model->predict.output();
    std::copy(in.begin(), in.end(), input);
    output[0] = 1;
    output[1] = out.numel();
  });
}

int d16_run(d16_model* model, float const* nhwc, int64_t batch, float* scores) {
  return guarded([&] {
    need(model && nhwc && scores, "d16_run: model, nhwc and scores must not be NULL");
    size_t in = size_t(model->predict.input().numel()), out = size_t(model->predict.output().numel());
    d16::require<d16::ValueError>(batch > 0 && batch <= int64_t(1) << 32, "d16_run: batch is ", batch,
                                  "; it needs 1 or more");
    model->predict({nhwc, size_t(batch) * in}, {scores, size_t(batch) * out});
  });
}

void d16_close(d16_model* model) { delete model; }

char const* d16_error(void) { return last_error().c_str(); }

}  // extern "C"
