// SPDX-License-Identifier: Apache-2.0
// Any bytes as shots in any format: a clear refusal, or a table that every format carries over without loss.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include <spinel/io/shots.hpp>

namespace {

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "shots_fuzz: %s\n", what);
  std::abort();
}

}  // namespace

/// The first byte chooses the format, the next three the numbers of measurements, detectors and observables.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using spinel::io::ShotFormat;
  if (size < 4) return 0;
  const auto format = static_cast<ShotFormat>(data[0] % 6);
  const spinel::io::ShotLayout layout{data[1] / 16u, data[2] * (data[1] % 16u), data[3] % 65u};
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 4, size - 4);
  const auto table = spinel::io::parse_shots(bytes, format, layout);
  if (!table) {
    require(table.error().rfind("line ", 0) == 0 || table.error().rfind("byte ", 0) == 0, "a refusal without a place");
    return 0;
  }
  require(table->n_bits == layout.n_bits() && table->bytes.size() == table->n_shots * table->stride_bytes, "other sizes");
  for (int target = 0; target < 6; ++target) {
    const auto other = static_cast<ShotFormat>(target);
    const auto printed = spinel::io::format_shots(*table, other, layout);
    if (!printed) {
      require(other == ShotFormat::ptb64 && table->n_shots % 64 != 0, "a table that cannot be written");
      continue;
    }
    const auto again = spinel::io::parse_shots(*printed, other, layout);
    require(static_cast<bool>(again), "written bytes are refused");
    // Without bits, b8 and ptb64 have no bytes to count shots by.
    require(again->bytes == table->bytes, "bits changed on the way");
    require(table->n_bits == 0 || again->n_shots == table->n_shots, "shots were lost");
  }
  return 0;
}
