/* SPDX-License-Identifier: Apache-2.0
 * A stream decoder as a C99 host program sees it: the types, and SPINEL_DECLARE_C_API(prefix), which declares the functions that one
 * C++ file with SPINEL_DEFINE_C_API(prefix, Decoder) from c_api.hpp defines. No C++ run-time library is needed to link them.
 * The caller gives the memory; nothing is allocated, printed or thrown. Statuses are 0 for ok, else those of core/status.hpp. */
#ifndef SPINEL_DECODE_C_API_H
#define SPINEL_DECODE_C_API_H

#include <stddef.h>
#include <stdint.h>

/* Values of enum class RoundFault. */
enum {
  SPINEL_ROUND_OK = 0,
  SPINEL_ROUND_LOST = 1,
  SPINEL_ROUND_REPEATED = 2,
  SPINEL_ROUND_LATE = 3,
  SPINEL_ROUND_IMPLAUSIBLE = 4,
  SPINEL_ROUND_WRONG_WIDTH = 5,
  SPINEL_ROUND_REFUSED = 6
};
/* Values of enum class OnFault. */
enum { SPINEL_ON_FAULT_ERASE = 0, SPINEL_ON_FAULT_RESTART = 1, SPINEL_ON_FAULT_STOP = 2 };

/* The number of noise parameters and their order: NoiseParameters::names. */
enum { SPINEL_NOISE_PARAMETERS = 25 };

typedef struct {
  uint64_t received; /* the number that came with the round */
  uint64_t expected; /* the number that was due */
  uint32_t erased;   /* rounds that were missing and are left out of the history */
  int32_t fault;     /* SPINEL_ROUND_... */
  int32_t decoded;   /* 1: a window was decoded, the corrections may have changed */
} spinel_round_report;

typedef struct {
  uint64_t flips;   /* predicted observable flips of the whole history */
  int32_t status;   /* 0: ok */
  int32_t measured; /* the logical outcome as read out: XOR with the flips */
} spinel_result;

/* PREFIX_size, _alignment: of the storage that PREFIX_init takes; _scratch_size: bytes that _init needs during the call only.
 * PREFIX_round_bytes, _data_bytes: widths of one round (X checks, then Z checks) and of the read-out, least significant bit first.
 * PREFIX_uniform_noise: the 25 parameters of depolarizing noise p. PREFIX_init: status 1 (bad argument: noise, alignment),
 * 7 (out of capacity: storage or scratch), 10 (a noise that the matcher does not support). Returns the decoder in *decoder.
 * PREFIX_push_round returns the fault; `report` may be null. PREFIX_corrections: flips committed so far, and of how many rounds (may be
 * null). PREFIX_decode_b8: one whole experiment from packed detection events; ends the history. */
#define SPINEL_DECLARE_C_API(prefix)                                                                                            \
  typedef struct prefix##_decoder prefix##_decoder;                                                                             \
  size_t prefix##_size(void);                                                                                                   \
  size_t prefix##_alignment(void);                                                                                              \
  size_t prefix##_scratch_size(void);                                                                                           \
  size_t prefix##_round_bytes(void);                                                                                            \
  size_t prefix##_data_bytes(void);                                                                                             \
  int prefix##_uniform_noise(double p, double* noise);                                                                          \
  int prefix##_init(void* storage, size_t storage_bytes, const double* noise, void* scratch, size_t scratch_bytes,              \
                    prefix##_decoder** decoder);                                                                                \
  void prefix##_reset(prefix##_decoder* decoder, uint64_t first_round, int on_fault);                                           \
  int prefix##_push_round(prefix##_decoder* decoder, uint64_t number, const uint8_t* measurements, size_t n_bytes,              \
                          spinel_round_report* report);                                                                         \
  uint64_t prefix##_corrections(const prefix##_decoder* decoder, uint64_t* committed_rounds);                                   \
  spinel_result prefix##_finish(prefix##_decoder* decoder, const uint8_t* data_measurements, size_t n_bytes);                   \
  spinel_result prefix##_decode_b8(prefix##_decoder* decoder, const uint8_t* events, size_t n_bytes, int rounds)

/* Of a decoder with a network, after SPINEL_DECLARE_C_API. PREFIX_set_weights comes between _init and the first round (without it rounds
 * pass as they are): `blob` as `spinel convert_weights` writes it, at a multiple of 64 bytes, which must outlive the decoder;
 * `ranges`: for int8 the lowest (at most 0) and highest activation of every layer in turn, else null. Status 1 (bad argument: null, alignment,
 * ranges), or what is wrong with the blob. */
#define SPINEL_DECLARE_C_NETWORK(prefix)                                                                                        \
  int prefix##_set_weights(prefix##_decoder* decoder, const void* blob, size_t n_bytes, const float* ranges)

#endif
