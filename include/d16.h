/* d16.h: the C interface (C99): a network from a file, images in, scores out. Link d16::c (libd16_c.a) and a C++ runtime. */
#ifndef D16_H
#define D16_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What the functions return. d16_error() has the words. */
enum {
  D16_OK = 0,
  D16_E_ARGUMENT = 1, /* a null pointer, a size or value out of range */
  D16_E_FILE = 2,     /* the file cannot be read or is not a safetensors file */
  D16_E_WEIGHTS = 3,  /* the file holds weights of another network, or does not say of which */
  D16_E_SHAPE = 4,    /* sizes that do not fit the network */
  D16_E_DEVICE = 5,   /* no such device in this program */
  D16_E_MEMORY = 6,   /* out of memory; the model can still be used with less */
  D16_E_OTHER = 7
};

/* A network with its weights. One per thread: calls on the same model must not overlap. */
typedef struct d16_model d16_model;

/* 10000 * major + 100 * minor + patch: of this header (the build takes the project's version from here too), and of the
   library that is linked. */
enum { D16_VERSION = 100 };
int d16_version(void);

/* Makes the network that the file of weights describes. `device` is "cpu" or "reference"; NULL is "cpu".
   On success *out is a model for d16_close(); on failure it is NULL. */
int d16_open(char const* weights, char const* device, d16_model** out);

/* input: 1, height, width, channels of one image. output: 1, number of scores per image (classes of a classifier,
   height * width * channels of a denoiser). */
int d16_shape(d16_model const* model, int64_t input[4], int64_t output[2]);

/* `batch` images of float32 in [0,1], each height, width, channels (channels innermost), to batch * output[1] numbers:
   probabilities of a classifier, the image of a denoiser. Takes no memory from the system after the first call. */
int d16_run(d16_model* model, float const* nhwc, int64_t batch, float* scores);

/* NULL is allowed. */
void d16_close(d16_model* model);

/* The last failure of this thread, or "" when there was none. Valid until the next failure of this thread. */
char const* d16_error(void);

#ifdef __cplusplus
}
#endif

#endif
