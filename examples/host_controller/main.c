/* SPDX-License-Identifier: Apache-2.0
 * A host controller in C99 around the C++ decoder of decoder.cpp: memory from a static array, one round pushed at a time, corrections
 * read while the experiment runs, a lost round noticed, the read-out closing it.
 *   host_controller                       a built-in experiment: wrong measurements only, so no correction may remain
 *   host_controller ROUNDS EVENTS.b8      packed detection events of experiments (spinel sample --distance 5 --out_format b8),
 *                                         decoded at once and round by round; prints a line for each: flips, flips committed before the
 *                                         read-out, rounds that these cover
 * With -DHOST_HAS_NETWORK and decoder_int8.cpp instead, a pre-decoder network stands before the windows:
 *   host_controller ROUNDS EVENTS.b8 WEIGHTS.blob LOW HIGH LOW HIGH LOW HIGH
 *                                         WEIGHTS.blob: of `spinel convert_weights`; for each layer its lowest and highest activation */
#include <spinel/decode/c_api.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

SPINEL_DECLARE_C_API(qec);

#ifdef HOST_HAS_NETWORK
SPINEL_DECLARE_C_NETWORK(qec);

/* argv: the blob's path and two numbers a layer. The blob is viewed where it lies, so it stays. */
static int load_network(qec_decoder* decoder, int argc, char** argv) {
  float ranges[2 * 8];
  FILE* file = fopen(argv[0], "rb");
  uint8_t* blob;
  size_t n_bytes;
  long end;
  int k;
  for (k = 1; k < argc && k <= 2 * 8; ++k) ranges[k - 1] = (float)atof(argv[k]);
  if (file == NULL || fseek(file, 0, SEEK_END) != 0 || (end = ftell(file)) <= 0) return -1;
  rewind(file);
  n_bytes = (size_t)end;
  blob = (uint8_t*)aligned_alloc(64, (n_bytes + 63) / 64 * 64);
  if (blob == NULL || fread(blob, 1, n_bytes, file) != n_bytes) return -1;
  fclose(file);
  return qec_set_weights(decoder, blob, n_bytes, ranges);
}
#endif

static qec_decoder* start(double p) {
  double noise[SPINEL_NOISE_PARAMETERS];
  qec_decoder* decoder = NULL;
  /* A real host takes both from a static array or locked huge pages. */
  void* storage = aligned_alloc(qec_alignment(), (qec_size() + qec_alignment() - 1) / qec_alignment() * qec_alignment());
  void* scratch = malloc(qec_scratch_size());
  int status = storage == NULL || scratch == NULL ? -1 : qec_uniform_noise(p, noise);
  if (status == 0) status = qec_init(storage, qec_size(), noise, scratch, qec_scratch_size(), &decoder);
  free(scratch); /* of no use after set-up */
  if (status != 0) {
    fprintf(stderr, "host_controller: set-up failed with status %d\n", status);
    exit(1);
  }
  return decoder;
}

static int built_in(void) {
  enum { rounds = 100000 };
  qec_decoder* decoder = start(0.003);
  uint8_t outcomes[64] = {0}, data[64] = {0};
  uint64_t random = 1, committed = 0, erased = 0;
  spinel_round_report report;
  spinel_result result;
  uint64_t t;
  for (t = 0; t < rounds; ++t) {
    size_t k;
    memset(outcomes, 0, sizeof outcomes);
    /* A wrong outcome in one round of three, none in the first and last. */
    random = random * 6364136223846793005u + 1442695040888963407u;
    k = (size_t)(random >> 33) % (24 * 3);
    if (k < 24 && t > 0 && t + 1 < rounds) outcomes[k / 8] = (uint8_t)(1u << (k % 8));
    if (t == 5000) continue; /* the link drops a round: the next one shows it */
    if (qec_push_round(decoder, t, outcomes, qec_round_bytes(), &report) == SPINEL_ROUND_LOST) erased += report.erased;
    else if (report.fault != SPINEL_ROUND_OK) return 1;
  }
  if (qec_corrections(decoder, &committed) != 0 || committed + 16 < rounds) return 1;
  result = qec_finish(decoder, data, qec_data_bytes());
  printf("%d rounds, %u erased, status %d, flips %u, %u bytes of memory\n", (int)rounds, (unsigned)erased, result.status,
         (unsigned)result.flips, (unsigned)qec_size());
  return !(result.status == 0 && result.flips == 0 && erased == 1);
}

static int from_file(qec_decoder* decoder, int rounds, const char* path) {
  /* Own numbering: h events of the memory basis (here X), 2 h for every further round (X, then Z), h of the read-out. */
  enum { h = 12 };
  const size_t n_bits = (size_t)2 * h * (size_t)rounds, n_bytes = (n_bits + 7) / 8;
  uint8_t* events = (uint8_t*)malloc(n_bytes);
  FILE* file = fopen(path, "rb");
  if (file == NULL || events == NULL) {
    fprintf(stderr, "host_controller: cannot open %s\n", path);
    return 1;
  }
  while (fread(events, 1, n_bytes, file) == n_bytes) {
    const spinel_result at_once = qec_decode_b8(decoder, events, n_bytes, rounds);
    uint8_t outcomes[8] = {0};
    size_t bit = 0, k;
    int t;
    uint64_t committed, flips;
    qec_reset(decoder, 0, SPINEL_ON_FAULT_ERASE);
    for (t = 0; t < rounds; ++t) {
      const size_t n = t == 0 ? h : 2 * h;
      for (k = 0; k < n; ++k, ++bit)
        if ((events[bit / 8] >> (bit % 8)) & 1) outcomes[k / 8] ^= (uint8_t)(1u << (k % 8));
      if (qec_push_round(decoder, (uint64_t)t, outcomes, qec_round_bytes(), NULL) != SPINEL_ROUND_OK) return 1;
    }
    /* Before the last window is closed, what is committed is a part of the answer. */
    flips = qec_corrections(decoder, &committed);
    printf("%u %u %u\n", (unsigned)at_once.flips, (unsigned)flips, (unsigned)committed);
    if (at_once.status != 0) return 1;
  }
  fclose(file);
  free(events);
  return 0;
}

int main(int argc, char** argv) {
  if (argc == 1) return built_in();
  if (argc == 3 && atoi(argv[1]) >= 2) return from_file(start(0.003), atoi(argv[1]), argv[2]);
#ifdef HOST_HAS_NETWORK
  if (argc == 4 + 2 * 3 && atoi(argv[1]) >= 2) {
    qec_decoder* decoder = start(0.003);
    const int status = load_network(decoder, argc - 3, argv + 3);
    if (status == 0) return from_file(decoder, atoi(argv[1]), argv[2]);
    fprintf(stderr, "host_controller: the weights of %s: status %d\n", argv[3], status);
    return 1;
  }
  fprintf(stderr, "usage: host_controller [ROUNDS EVENTS.b8 [WEIGHTS.blob LOW HIGH LOW HIGH LOW HIGH]]\n");
#else
  fprintf(stderr, "usage: host_controller [ROUNDS EVENTS.b8]\n");
#endif
  return 2;
}
