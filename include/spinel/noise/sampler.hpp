// SPDX-License-Identifier: Apache-2.0
// Detection events and observables of any set of independent error mechanisms, 512 shots at a time, the same bits on every
// machine. A mechanism that happens with probability p flips its targets like the parity of a Poisson number of hits with
// mean lambda = atanh(p / (1 - p)) = -ln(1 - 2p) / 2, exactly; so a batch throws a Poisson number of hits at (mechanism,
// shot) cells, each hit a table look-up and one XOR a target, and never looks for a cell hit twice.
// Sources: parity of a Poisson variable (Haight, Handbook of the Poisson Distribution); alias tables (Walker 1977, Vose
// 1991); generator (Blackman, Vigna: Scrambled linear pseudorandom number generators, 2021). Measured speed:
// bench/results/sampler.md.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include <spinel/core/arena.hpp>
#include <spinel/core/config.hpp>
#include <spinel/core/span.hpp>
#include <spinel/core/status.hpp>
#include <spinel/noise/sampler_tables.hpp>

namespace spinel {

/// Independent error mechanisms as arrays of the caller. Mechanism m happens with probabilities[m] and flips detectors
/// [detectors_begin[m], detectors_begin[m + 1]) and the observables of a mask; a detector listed twice is flipped twice.
struct ErrorMechanismsView {
  std::size_t n_detectors = 0;
  std::size_t n_observables = 0;                   ///< at most 64
  Span<const double> probabilities;           ///< in [0, 1]
  Span<const std::uint32_t> detectors_begin;  ///< one more than mechanisms
  Span<const std::uint32_t> detectors;
  Span<const std::uint64_t> observables;  ///< one mask a mechanism
};

/// Samples shots of fixed mechanisms. All memory comes from the caller; the view is not used after make().
/// The shots depend on seed and shot number only, so batches can be drawn in any order and by several samplers.
/// Each mechanism's probability is met to better than 2^-38. The build must keep IEEE arithmetic (no -ffast-math).
class Sampler {
 public:
  static constexpr std::size_t shots_per_batch = 512;

  /// Bytes that make() asks for. Status: bad_argument for a probability outside [0, 1] or more than 64 observables,
  /// bad_shape for spans that disagree or an index beyond the counts.
  static Result<std::size_t> memory_bytes(const ErrorMechanismsView& view) noexcept {
    if (const Status status = check(view); status != Status::ok) return status;
    Arena counter;
    Sampler sampler;
    sampler.lay_out(counter, sizes_of(view));
    return counter.used() + Arena::alignment;
  }

  /// Builds the tables in `memory`: linear time. Status: as memory_bytes(), and out_of_capacity for too little memory.
  static Result<Sampler> make(const ErrorMechanismsView& view, Span<std::byte> memory) noexcept {
    if (const Status status = check(view); status != Status::ok) return status;
    Arena arena(memory);
    Sampler sampler;
    const auto sizes = sizes_of(view);
    sampler.lay_out(arena, sizes);
    if (memory.empty() || arena.overflowed()) return Status::out_of_capacity;
    sampler.fill(view, sizes);
    return sampler;
  }

  Sampler() = default;

  std::size_t n_detectors() const noexcept { return n_detectors_; }
  std::size_t n_observables() const noexcept { return n_observables_; }
  std::size_t detector_bytes() const noexcept { return (n_detectors_ + 7) / 8; }
  std::size_t observable_bytes() const noexcept { return (n_observables_ + 7) / 8; }

  /// Writes shots [512 batch, 512 batch + n_shots) of the stream `seed`, n_shots <= 512: packed b8 rows of
  /// detector_bytes() at `detectors` and of observable_bytes() at `observables`, each row `..._stride` after the last.
  /// A null pointer skips that output. Time is proportional to the expected number of mechanisms that happen.
  void sample(std::uint64_t seed, std::uint64_t batch, std::size_t n_shots, std::uint8_t* detectors,
              std::size_t detector_stride, std::uint8_t* observables, std::size_t observable_stride) noexcept {
    detail::SamplerRandom random(seed, batch);
    std::memset(rows_.data(), 0, rows_.size_bytes());
    for (const auto& block : blocks_) throw_hits(block, random);
    for (const auto& dense : dense_) flip_dense(dense, random);
    if (detectors != nullptr) write_rows(0, n_detectors_, n_shots, detectors, detector_stride);
    if (observables != nullptr) write_rows(n_detectors_, n_observables_, n_shots, observables, observable_stride);
  }

 private:
  static constexpr std::size_t lanes = shots_per_batch / 64;
  static constexpr std::uint32_t max_columns = 1024;
  static constexpr std::size_t max_fixed_targets = 6;
  /// Probabilities between this and its complement are sampled bit by bit: there hits get more expensive than words.
  static constexpr double dense_from = 0.2;

  /// Up to 1023 mechanisms with the same number of targets, and one without effect that fills the mean up to a sum of powers
  /// of two. Column c of the alias table is hit with probability 1 / n_columns.
  struct Block {
    std::uint32_t n_targets;      ///< 0: the mechanisms differ, target_ranges_ tells
    std::uint32_t column_mask;
    std::uint32_t columns_begin;  ///< in columns_
    std::uint32_t first;          ///< in targets_, or in target_ranges_ if n_targets is 0
    detail::PoissonMean mean;
  };
  struct Dense {
    std::uint64_t threshold;  ///< probability in units of 2^-48
    std::uint32_t begin, end;
  };
  struct Sizes {
    std::size_t n_mechanisms[max_fixed_targets + 1] = {};  ///< thrown, by number of targets; [0]: more than fit
    std::size_t n_blocks[max_fixed_targets + 1] = {};
    std::size_t long_targets = 0, n_columns = 0;
    std::size_t n_dense = 0, dense_targets = 0;
    std::size_t n_rows = 0, n_observables = 0, n_detectors = 0;
  };

  static std::size_t n_targets_of(const ErrorMechanismsView& view, std::size_t m) noexcept {
    return view.detectors_begin[m + 1] - view.detectors_begin[m] +
           static_cast<std::size_t>(std::popcount(view.observables[m]));
  }
  static bool is_dense(double p) noexcept { return p > dense_from && p < 1 - dense_from; }
  static double thrown_probability(double p) noexcept { return p > 0.5 ? 1 - p : p; }

  static Status check(const ErrorMechanismsView& view) noexcept {
    const std::size_t n = view.probabilities.size();
    std::size_t n_targets = 0;
    if (view.n_observables > 64) return Status::bad_argument;
    if (view.n_detectors >= (std::size_t{1} << 28)) return Status::bad_argument;
    if (n >= (std::size_t{1} << 31)) return Status::bad_argument;
    if (view.detectors_begin.size() != n + 1 || view.observables.size() != n) return Status::bad_shape;
    if (view.detectors_begin[0] > view.detectors.size()) return Status::bad_shape;
    for (std::size_t m = 0; m < n; ++m) {
      if (!(view.probabilities[m] >= 0 && view.probabilities[m] <= 1)) return Status::bad_argument;
      if (view.detectors_begin[m + 1] < view.detectors_begin[m]) return Status::bad_shape;
      if (view.n_observables < 64 && (view.observables[m] >> view.n_observables) != 0) return Status::bad_shape;
      n_targets += n_targets_of(view, m);
      if (n_targets >= (std::size_t{1} << 31)) return Status::bad_argument;
    }
    if (view.detectors_begin[n] > view.detectors.size()) return Status::bad_shape;
    for (const auto detector : view.detectors)
      if (detector >= view.n_detectors) return Status::bad_shape;
    return Status::ok;
  }

  /// Walks the mechanisms of one number of targets in the order of the view and cuts them into blocks; calls
  /// visit_mechanism(m, hits a batch) and close_block(hits a batch) in turn. Counting and filling share it.
  template <class VisitMechanism, class CloseBlock>
  static void cut_blocks(const ErrorMechanismsView& view, std::size_t kind, VisitMechanism&& visit_mechanism,
                         CloseBlock&& close_block) noexcept {
    std::size_t in_block = 0;
    double mean = 0;
    for (std::size_t m = 0; m < view.probabilities.size(); ++m) {
      const double p = view.probabilities[m];
      const std::size_t n_targets = n_targets_of(view, m);
      if (n_targets == 0 || (n_targets > max_fixed_targets ? 0 : n_targets) != kind || is_dense(p)) continue;
      if (thrown_probability(p) == 0) continue;
      const double hits = static_cast<double>(shots_per_batch) * detail::poisson_rate_of_parity(thrown_probability(p));
      if (in_block == max_columns - 1 || (in_block > 0 && mean + hits > 0.999 * detail::max_poisson_mean)) {
        close_block(mean);
        in_block = 0;
        mean = 0;
      }
      visit_mechanism(m, hits);
      ++in_block;
      mean = mean + hits;
    }
    if (in_block > 0) close_block(mean);
  }

  static Sizes sizes_of(const ErrorMechanismsView& view) noexcept {
    Sizes sizes;
    std::size_t in_block = 0;
    for (std::size_t kind = 0; kind <= max_fixed_targets; ++kind)
      cut_blocks(
          view, kind,
          [&](std::size_t m, double) {
            ++sizes.n_mechanisms[kind];
            ++in_block;
            if (kind == 0) sizes.long_targets += n_targets_of(view, m);
          },
          [&](double) {
            ++sizes.n_blocks[kind];
            sizes.n_columns += std::bit_ceil(in_block + 1);
            in_block = 0;
          });
    for (std::size_t m = 0; m < view.probabilities.size(); ++m) {
      // A certain flip, or the certain part of a likely one, is kept with the dense mechanisms.
      if (view.probabilities[m] <= dense_from) continue;
      ++sizes.n_dense;
      sizes.dense_targets += n_targets_of(view, m);
    }
    sizes.n_detectors = view.n_detectors;
    sizes.n_observables = view.n_observables;
    sizes.n_rows = view.n_detectors + view.n_observables + 1;  // the last row takes the hits without effect
    return sizes;
  }

  void lay_out(Arena& arena, const Sizes& sizes) noexcept {
    std::size_t n_blocks = 0, n_fixed_targets = 0;
    for (std::size_t kind = 0; kind <= max_fixed_targets; ++kind) {
      n_blocks += sizes.n_blocks[kind];
      n_fixed_targets += kind * (sizes.n_mechanisms[kind] + sizes.n_blocks[kind]);
    }
    n_detectors_ = sizes.n_detectors;
    n_observables_ = sizes.n_observables;
    blocks_ = arena.take<Block>(n_blocks);
    columns_ = arena.take<std::uint64_t>(sizes.n_columns);
    targets_ = arena.take<std::uint32_t>(n_fixed_targets + sizes.long_targets + sizes.dense_targets);
    target_ranges_ = arena.take<std::uint32_t>(sizes.n_mechanisms[0] + 2 * sizes.n_blocks[0]);
    dense_ = arena.take<Dense>(sizes.n_dense);
    poisson_ = arena.take<detail::PoissonTables>(1);
    rows_ = arena.take<std::uint64_t>(sizes.n_rows * lanes);
  }

  void append_targets(const ErrorMechanismsView& view, std::size_t m, std::size_t& at) noexcept {
    for (auto d = view.detectors_begin[m]; d < view.detectors_begin[m + 1]; ++d)
      targets_[at++] = static_cast<std::uint32_t>(lanes * view.detectors[d]);
    for (auto left = view.observables[m]; left != 0; left &= left - 1)
      targets_[at++] =
          static_cast<std::uint32_t>(lanes * (n_detectors_ + static_cast<std::size_t>(std::countr_zero(left))));
  }

  void fill(const ErrorMechanismsView& view, const Sizes& sizes) noexcept {
    poisson_[0].fill();
    const auto nowhere = static_cast<std::uint32_t>(lanes * (sizes.n_rows - 1));
    std::size_t at = 0, range = 0, n_blocks = 0, n_columns = 0;
    double hits_of[max_columns];
    for (std::size_t kind = 0; kind <= max_fixed_targets; ++kind) {
      std::size_t in_block = 0, first = kind == 0 ? range : at;
      cut_blocks(
          view, kind,
          [&](std::size_t m, double hits) {
            hits_of[in_block++] = hits;
            if (kind == 0) target_ranges_[range++] = static_cast<std::uint32_t>(at);
            append_targets(view, m, at);
          },
          [&](double mean) {
            Block& block = blocks_[n_blocks++];
            block.n_targets = static_cast<std::uint32_t>(kind);
            block.first = static_cast<std::uint32_t>(first);
            block.columns_begin = static_cast<std::uint32_t>(n_columns);
            block.mean = detail::PoissonMean::at_least(mean);
            const std::size_t size = std::bit_ceil(in_block + 1);
            block.column_mask = static_cast<std::uint32_t>(size - 1);
            detail::fill_alias_columns({hits_of, in_block}, block.mean.value(), columns_.subspan(n_columns, size));
            n_columns += size;
            // Two equal ends: the mechanism without effect has no targets. For fixed sizes it flips the row of nobody.
            if (kind == 0) {
              target_ranges_[range++] = static_cast<std::uint32_t>(at);
              target_ranges_[range++] = static_cast<std::uint32_t>(at);
            }
            for (std::size_t k = 0; k < kind; ++k) targets_[at++] = nowhere;
            in_block = 0;
            first = kind == 0 ? range : at;
          });
    }
    std::size_t n_dense = 0;
    for (std::size_t m = 0; m < view.probabilities.size(); ++m) {
      const double p = view.probabilities[m];
      if (p <= dense_from) continue;
      Dense& dense = dense_[n_dense++];
      // Above 1 - dense_from the flip is certain here, and the rare absence of it is thrown as hits.
      dense.threshold = is_dense(p) ? static_cast<std::uint64_t>(p * 0x1p48) : std::uint64_t{1} << 48;
      dense.begin = static_cast<std::uint32_t>(at);
      append_targets(view, m, at);
      dense.end = static_cast<std::uint32_t>(at);
    }
  }

  void throw_hits(const Block& block, detail::SamplerRandom& random) noexcept {
    const std::size_t n_hits = poisson_[0].draw(block.mean, random);
    switch (block.n_targets) {
      case 0: return throw_hits_of_any_size(block, n_hits, random);
      case 1: return throw_hits_of<1>(block, n_hits, random);
      case 2: return throw_hits_of<2>(block, n_hits, random);
      case 3: return throw_hits_of<3>(block, n_hits, random);
      case 4: return throw_hits_of<4>(block, n_hits, random);
      case 5: return throw_hits_of<5>(block, n_hits, random);
      case 6: return throw_hits_of<6>(block, n_hits, random);
      default: return;
    }
  }

  /// One 64-bit random: 10 bits choose a column, 9 a shot, 45 between the column's own mechanism and its alias.
  struct Cell {
    std::size_t mechanism, lane;
    std::uint64_t bit;
  };
  static SPINEL_ALWAYS_INLINE Cell choose_cell(std::uint64_t bits, const std::uint64_t* columns,
                                               std::uint64_t column_mask) noexcept {
    const std::uint64_t column = bits & column_mask;
    const std::uint64_t entry = columns[column];
    const std::uint64_t mechanism = (bits >> 19) < (entry >> 16) ? column : entry & 0xffff;
    return {static_cast<std::size_t>(mechanism), static_cast<std::size_t>((bits >> 16) & 7),
            std::uint64_t{1} << ((bits >> 10) & 63)};
  }

  template <std::size_t n_targets>
  void throw_hits_of(const Block& block, std::size_t n_hits, detail::SamplerRandom& random_in) noexcept {
    detail::SamplerRandom random = random_in;  // in registers: the rows could alias the member
    std::uint64_t* SPINEL_RESTRICT rows = rows_.data();
    const std::uint32_t* SPINEL_RESTRICT targets = targets_.data() + block.first;
    const std::uint64_t* SPINEL_RESTRICT columns = columns_.data() + block.columns_begin;
    const std::uint64_t column_mask = block.column_mask;
    for (std::size_t h = 0; h < n_hits; ++h) {
      const Cell cell = choose_cell(random(), columns, column_mask);
      const std::uint32_t* mine = targets + n_targets * cell.mechanism;
      for (std::size_t k = 0; k < n_targets; ++k) rows[mine[k] + cell.lane] ^= cell.bit;
    }
    random_in = random;
  }

  void throw_hits_of_any_size(const Block& block, std::size_t n_hits, detail::SamplerRandom& random) noexcept {
    for (std::size_t h = 0; h < n_hits; ++h) {
      const Cell cell = choose_cell(random(), columns_.data() + block.columns_begin, block.column_mask);
      const std::uint32_t* range = target_ranges_.data() + block.first + cell.mechanism;
      for (auto t = range[0]; t < range[1]; ++t) rows_[targets_[t] + cell.lane] ^= cell.bit;
    }
  }

  /// 64 independent bits of a given probability from its binary digits, last digit first.
  void flip_dense(const Dense& dense, detail::SamplerRandom& random) noexcept {
    for (std::size_t lane = 0; lane < lanes; ++lane) {
      std::uint64_t word = ~std::uint64_t{0};
      if (dense.threshold < (std::uint64_t{1} << 48)) {
        word = 0;
        for (int digit = std::countr_zero(dense.threshold); digit < 48; ++digit) {
          const std::uint64_t fair = random();
          word = ((dense.threshold >> digit) & 1) != 0 ? word | fair : word & fair;
        }
      }
      for (auto t = dense.begin; t < dense.end; ++t) rows_[targets_[t] + lane] ^= word;
    }
  }

  /// Turns 64 rows of 512 shots at a time into 512 words of 64 bits each, all lanes side by side.
  void write_rows(std::size_t first_row, std::size_t n_rows, std::size_t n_shots, std::uint8_t* out,
                  std::size_t stride) const noexcept {
    alignas(64) std::uint64_t tile[64 * lanes];
    for (std::size_t row = 0; row < n_rows; row += 64) {
      const std::size_t height = n_rows - row < 64 ? n_rows - row : 64;
      std::memcpy(tile, rows_.data() + (first_row + row) * lanes, height * lanes * sizeof(std::uint64_t));
      std::memset(tile + height * lanes, 0, (64 - height) * lanes * sizeof(std::uint64_t));
      detail::transpose_tile<lanes>(tile);
      const std::size_t n_bytes = (height + 7) / 8;
      std::uint8_t* to = out + row / 8;
      for (std::size_t shot = 0; shot < n_shots; ++shot, to += stride) {
        const std::uint64_t word = tile[(shot % 64) * lanes + shot / 64];
        if (n_bytes == 8 && std::endian::native == std::endian::little) {
          std::memcpy(to, &word, 8);
        } else {
          for (std::size_t b = 0; b < n_bytes; ++b) to[b] = static_cast<std::uint8_t>(word >> (8 * b));
        }
      }
    }
  }

  // == Permanent: fixed at set-up ==
  std::size_t n_detectors_ = 0, n_observables_ = 0;
  Span<Block> blocks_;
  Span<std::uint64_t> columns_;         ///< threshold in units of 2^-45, shifted left by 16, plus the alias
  Span<std::uint32_t> targets_;         ///< first word of a row
  Span<std::uint32_t> target_ranges_;
  Span<Dense> dense_;
  Span<detail::PoissonTables> poisson_;
  // == Per batch: cleared by sample() ==
  Span<std::uint64_t> rows_;  ///< [detectors, observables, nobody][8 lanes of 64 shots]
};

}  // namespace spinel
