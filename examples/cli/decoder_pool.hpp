// SPDX-License-Identifier: Apache-2.0
// Many logical qubits: a fixed number of threads, each pinned to a processor of its own and serving some of the decoders. Every logical
// qubit has one ring in and one ring out, each with a single producer and a single consumer: no locks, no heap while running.
#pragma once

#include <pthread.h>
#include <sched.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <spinel/decode/stream.hpp>
#include <thread>
#include <vector>

namespace spinel::cli {

/// A bounded queue between two threads. `capacity` is a power of two.
template <class T, std::size_t capacity>
class SpscRing {
  static_assert((capacity & (capacity - 1)) == 0);

 public:
  /// False when full.
  bool push(const T& item) noexcept {
    const std::size_t tail = tail_.load(std::memory_order_relaxed);
    if (tail - head_seen_ == capacity) {
      head_seen_ = head_.load(std::memory_order_acquire);
      if (tail - head_seen_ == capacity) return false;
    }
    items_[tail % capacity] = item;
    tail_.store(tail + 1, std::memory_order_release);
    return true;
  }
  /// False when empty.
  bool pop(T& item) noexcept {
    const std::size_t head = head_.load(std::memory_order_relaxed);
    if (head == tail_seen_) {
      tail_seen_ = tail_.load(std::memory_order_acquire);
      if (head == tail_seen_) return false;
    }
    item = items_[head % capacity];
    head_.store(head + 1, std::memory_order_release);
    return true;
  }

 private:
  // The producer's line, the consumer's line, the items.
  alignas(64) std::atomic<std::size_t> tail_{0};
  std::size_t head_seen_ = 0;
  alignas(64) std::atomic<std::size_t> head_{0};
  std::size_t tail_seen_ = 0;
  alignas(64) T items_[capacity];
};

/// Decoders of `Decoder`'s type for `n_qubits` logical qubits on `n_threads` threads. One thread feeds and reads.
template <class Decoder>
class DecoderPool {
 public:
  using Round = typename Decoder::Round;
  using Data = typename Decoder::Data;

  struct Input {
    enum class Kind : std::uint8_t { round, read_out };
    Kind kind = Kind::round;
    std::uint64_t number = 0;
    Round round;
    Data data;
  };
  struct Output {
    bool closed = false;  ///< the answer of a whole history, which begins anew
    RoundFault fault = RoundFault::none;
    std::uint64_t number = 0;            ///< the round that led to it
    std::uint64_t committed_rounds = 0;
    StreamResult result;
  };

  /// `set_up(decoder)` prepares one; it is called for every logical qubit, here. `first_cpu` < 0 pins nothing.
  template <class SetUp>
  DecoderPool(int n_qubits, int n_threads, int first_cpu, SetUp&& set_up) {
    for (int k = 0; k < n_qubits; ++k) {
      qubits_.push_back(std::make_unique<Qubit>());
      set_up(qubits_.back()->decoder);
    }
    const int n_cpus = static_cast<int>(std::thread::hardware_concurrency());
    for (int t = 0; t < n_threads; ++t)
      threads_.emplace_back([this, t, n_threads, first_cpu, n_cpus] {
        if (first_cpu >= 0) pin((first_cpu + t) % (n_cpus < 1 ? 1 : n_cpus));
        serve(t, n_threads);
      });
  }
  ~DecoderPool() {
    stop_.store(true, std::memory_order_release);
    for (auto& thread : threads_) thread.join();
  }
  DecoderPool(const DecoderPool&) = delete;
  DecoderPool& operator=(const DecoderPool&) = delete;

  int n_qubits() const { return static_cast<int>(qubits_.size()); }
  /// False where that qubit's ring is full: back-pressure for the caller to act on.
  bool push_round(int qubit, std::uint64_t number, const Round& round) noexcept {
    return ring(qubit).in.push({Input::Kind::round, number, round, {}});
  }
  bool finish(int qubit, const Data& data) noexcept { return ring(qubit).in.push({Input::Kind::read_out, 0, {}, data}); }
  /// False where there is no new answer.
  bool poll(int qubit, Output& output) noexcept { return ring(qubit).out.pop(output); }

 private:
  struct Qubit {
    SpscRing<Input, 1024> in;
    SpscRing<Output, 1024> out;
    Decoder decoder;
  };
  Qubit& ring(int qubit) noexcept { return *qubits_[static_cast<std::size_t>(qubit)]; }
  static void pin(int cpu) noexcept {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(static_cast<unsigned>(cpu), &set);
    pthread_setaffinity_np(pthread_self(), sizeof set, &set);
  }
  void serve(int thread, int n_threads) noexcept {
    for (int idle = 0; !stop_.load(std::memory_order_acquire);) {
      bool worked = false;
      for (std::size_t q = static_cast<std::size_t>(thread); q < qubits_.size(); q += static_cast<std::size_t>(n_threads))
        worked |= take(*qubits_[q]);
      // On a processor of its own a thread never gets here; on a shared one it lets others run.
      idle = worked ? 0 : idle + 1;
      if (idle > 1000) std::this_thread::yield();
    }
  }
  bool take(Qubit& qubit) noexcept {
    Input input;
    if (!qubit.in.pop(input)) return false;
    Output output;
    output.number = input.number;
    if (input.kind == Input::Kind::round) {
      const RoundReport report = qubit.decoder.push_round(input.number, input.round);
      if (!report.decoded && report.fault == RoundFault::none) return true;
      output.fault = report.fault;
      output.result.flips = qubit.decoder.observable_flips();
      output.result.status = Status::ok;
    } else {
      output.closed = true;
      output.result = qubit.decoder.finish(input.data);
    }
    output.committed_rounds = qubit.decoder.committed_rounds();
    if (output.closed) qubit.decoder.reset();
    while (!qubit.out.push(output))
      if (stop_.load(std::memory_order_acquire)) return true;
    return true;
  }

  std::vector<std::unique_ptr<Qubit>> qubits_;
  std::vector<std::thread> threads_;
  std::atomic<bool> stop_{false};
};

}  // namespace spinel::cli
