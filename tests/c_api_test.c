/* The C interface from C99: opens a network whose answer can be worked out by hand, and fails as it says it does. */
#include <d16.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int failures = 0;

static void check(int condition, char const* what) {
  if (condition) return;
  ++failures;
  fprintf(stderr, "failed: %s; d16_error() is \"%s\"\n", what, d16_error());
}

/* flatten, linear(4, 2): logits (x0 - x3, 2 * x1 + 0.5). */
static char const header[] =
    "{\"__metadata__\":{\"network\":\"{\\\"type\\\":\\\"sequential\\\",\\\"input\\\":[2,2,1],\\\"stages\\\":["
    "{\\\"type\\\":\\\"flatten\\\"},{\\\"type\\\":\\\"linear\\\",\\\"in\\\":4,\\\"out\\\":2}]}\"},"
    "\"1.weight\":{\"dtype\":\"F32\",\"shape\":[2,4],\"data_offsets\":[0,32]},"
    "\"1.bias\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[32,40]}}";
static float const weights[10] = {1, 0, 0, -1, 0, 2, 0, 0, 0, 0.5f};

static void write_file(char const* path, size_t bytes_of_weights) {
  uint64_t length = sizeof header - 1;
  FILE* file = fopen(path, "wb");
  if (!file) {
    perror(path);
    exit(2);
  }
  fwrite(&length, sizeof length, 1, file);
  fwrite(header, 1, sizeof header - 1, file);
  fwrite(weights, 1, bytes_of_weights, file);
  fclose(file);
}

static void test_scores(char const* path) {
  d16_model* model = NULL;
  int64_t input[4], output[2];
  float const images[2][4] = {{0.25f, 0.5f, 0.75f, 1.0f}, {1.0f, 0.0f, 0.0f, 0.0f}};
  float scores[2][2];
  int i;
  check(d16_open(path, NULL, &model) == D16_OK && model, "open");
  if (!model) return;
  check(d16_shape(model, input, output) == D16_OK, "shape");
  check(input[0] == 1 && input[1] == 2 && input[2] == 2 && input[3] == 1, "input is 1, 2, 2, 1");
  check(output[0] == 1 && output[1] == 2, "output is 1, 2");
  check(d16_run(model, images[0], 2, scores[0]) == D16_OK, "run");
  for (i = 0; i < 2; ++i) {
    double first = images[i][0] - images[i][3], second = 2 * images[i][1] + 0.5;
    double expected = 1 / (1 + exp(second - first));
    check(fabs(scores[i][0] - expected) < 1e-6 && fabs(scores[i][0] + scores[i][1] - 1) < 1e-6, "scores");
  }
  check(d16_run(model, images[0], 0, scores[0]) == D16_E_ARGUMENT, "batch 0");
  check(d16_run(model, NULL, 1, scores[0]) == D16_E_ARGUMENT, "null images");
  check(d16_run(model, images[0], 1, scores[0]) == D16_OK, "run after failures");
  d16_close(model);
}

static void test_failures(char const* path) {
  d16_model* model = (d16_model*)path; /* anything but NULL */
  check(d16_open("/nowhere/at/all.safetensors", "cpu", &model) == D16_E_FILE && !model, "missing file");
  check(strstr(d16_error(), "all.safetensors") != NULL, "the message names the file");
  check(d16_open(path, "abacus", &model) == D16_E_DEVICE, "unknown device");
  check(d16_open(path, "cuda:0", &model) == D16_E_DEVICE, "a device without kernels");
  check(d16_open(NULL, NULL, &model) == D16_E_ARGUMENT, "null path");
  check(d16_open(path, NULL, NULL) == D16_E_ARGUMENT, "null out");
  check(d16_shape(NULL, NULL, NULL) == D16_E_ARGUMENT, "null model");
  write_file(path, 36); /* truncated */
  check(d16_open(path, NULL, &model) == D16_E_FILE && !model, "truncated file");
  d16_close(NULL);
}

int main(void) {
  char const* folder = getenv("TMPDIR");
  char path[512];
  snprintf(path, sizeof path, "%s/d16-c-api-test-%ld-%ld.safetensors", folder ? folder : "/tmp", (long)time(NULL),
           (long)clock());
  check(d16_version() == D16_VERSION, "version");
  check(strcmp(d16_error(), "") == 0, "no error at first");
  write_file(path, sizeof weights);
  test_scores(path);
  test_failures(path);
  remove(path);
  if (failures == 0) puts("c_api_test: all passed");
  return failures ? 1 : 0;
}
