// SPDX-License-Identifier: Apache-2.0
// What the network benchmarks share: alternating samples of thread time, memory in huge pages, random weights, and the same network
// in oneDNN.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <random>
#include <span>
#include <spinel/nn/weights.hpp>
#include <string>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <unordered_map>
#include <utility>
#include <vector>

#if SPINEL_BENCH_ONEDNN
#include <dnnl.hpp>
#endif

namespace spinel::bench {

inline double cpu_ms() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return 1e3 * static_cast<double>(now.tv_sec) + 1e-6 * static_cast<double>(now.tv_nsec);
}

/// Memory in huge pages where the machine grants them, for both sides alike.
struct Memory {
  explicit Memory(std::size_t bytes) : size((bytes + (2u << 20)) / (2u << 20) * (2u << 20)), data(static_cast<std::byte*>(std::aligned_alloc(2u << 20, size)), &std::free) {
    madvise(data.get(), size, MADV_HUGEPAGE);
    std::memset(data.get(), 0, size);
  }
  std::span<std::byte> span() const { return {data.get(), size}; }
  std::size_t size;
  std::unique_ptr<std::byte, decltype(&std::free)> data;
};

/// oneDNN's threads read OMP_NUM_THREADS before main begins, so the program starts again with one thread: its thread time is all its time.
inline void with_one_thread(char** argv) {
  const char* threads = std::getenv("OMP_NUM_THREADS");
  if (threads != nullptr && std::strcmp(threads, "1") == 0) return;
  setenv("OMP_NUM_THREADS", "1", 1);
  execv("/proc/self/exe", argv);
  std::perror("with_one_thread");
  std::exit(1);
}

struct Sides {
  std::function<void()> ours, peer;
};

/// Medians in milliseconds; at least `samples` alternating pairs.
inline std::pair<double, double> interleaved(const Sides& sides, int samples) {
  std::vector<double> ours, peer;
  const auto sample = [](const std::function<void()>& run, std::vector<double>& into) {
    int repeats = 0;
    const double begin = cpu_ms();
    do {
      run();
      ++repeats;
    } while (cpu_ms() - begin < 15.0);
    into.push_back((cpu_ms() - begin) / repeats);
  };
  sides.ours();
  if (sides.peer) sides.peer();
  for (int k = 0; k < samples; ++k) {
    sample(sides.ours, ours);
    if (sides.peer) sample(sides.peer, peer);
  }
  const auto median = [](std::vector<double>& values) {
    if (values.empty()) return std::nan("");
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
  };
  return {median(ours), median(peer)};
}

template <Network network>
struct RandomWeights {
  std::vector<std::vector<float>> weights, biases;
  WeightsView<network> view;
  RandomWeights() {
    std::mt19937 engine{1};
    for (int l = 0; l < network.n_layers; ++l) {
      std::normal_distribution<float> draw{0.0f, 1.2f / std::sqrt(static_cast<float>(network.in_channels(l)) * 27.0f)};
      for (auto* into : {&weights, &biases}) {
        auto& values = into->emplace_back(into == &weights ? network.weights(l) : static_cast<std::size_t>(network.out_channels(l)));
        for (auto& value : values) value = draw(engine);
      }
      view.weight[l] = weights.back().data();
      view.bias[l] = biases.back().data();
    }
  }
};

#if SPINEL_BENCH_ONEDNN
/// The whole network in oneDNN: format any, activation fused, one shot.
class OneDnn {
 public:
  OneDnn(const Network& network, Precision precision, int distance, int rounds) : engine_(dnnl::engine::kind::cpu, 0), stream_(engine_) {
    using namespace dnnl;
    using tag = memory::format_tag;
    using type = memory::data_type;
    const type source = precision == Precision::fp32 ? type::f32 : precision == Precision::bf16 ? type::bf16 : type::u8;
    const type weight = precision == Precision::fp32 ? type::f32 : precision == Precision::bf16 ? type::bf16 : type::s8;
    memory current;
    for (int l = 0; l < network.n_layers; ++l) {
      const bool is_last = l == network.n_layers - 1;
      const memory::dim in = network.in_channels(l), out = network.out_channels(l);
      const memory::dims from{1, in, rounds, distance, distance}, weights{out, in, 3, 3, 3}, to{1, out, rounds, distance, distance}, ones{1, 1, 1};
      primitive_attr attributes;
      post_ops operations;
      if (!is_last) operations.append_eltwise(1.0f, algorithm::eltwise_gelu_tanh, 0.0f, 0.0f);
      attributes.set_post_ops(operations);
      if (precision == Precision::int8) attributes.set_output_scales(2, std::vector<float>(static_cast<std::size_t>(out), 0.01f));
      const convolution_forward::desc description(
          prop_kind::forward_inference, algorithm::convolution_direct, memory::desc(from, source, tag::any), memory::desc(weights, weight, tag::any),
          memory::desc({out}, type::f32, tag::a), memory::desc(to, is_last ? type::f32 : source, tag::any), ones, ones, ones);
      const convolution_forward::primitive_desc chosen(description, attributes, engine_);
      memory w(chosen.weights_desc(), engine_), b(chosen.bias_desc(), engine_), d(chosen.dst_desc(), engine_);
      fill(weights, w, precision == Precision::int8 ? 3.0f : 0.02f, 7);
      std::memset(b.get_data_handle(), 0, chosen.bias_desc().get_size());
      if (l == 0) {
        current = memory(chosen.src_desc(), engine_);
        fill(from, current, 1.0f, 3);
      } else if (current.get_desc() != chosen.src_desc()) {
        memory moved(chosen.src_desc(), engine_);
        steps_.emplace_back(reorder(current, moved), std::unordered_map<int, memory>{{DNNL_ARG_FROM, current}, {DNNL_ARG_TO, moved}});
        current = moved;
      }
      steps_.emplace_back(convolution_forward(chosen), std::unordered_map<int, memory>{{DNNL_ARG_SRC, current}, {DNNL_ARG_WEIGHTS, w}, {DNNL_ARG_BIAS, b}, {DNNL_ARG_DST, d}});
      current = d;
    }
  }
  void run() {
    for (auto& [primitive, arguments] : steps_) primitive.execute(stream_, arguments);
    stream_.wait();
  }

 private:
  void fill(const dnnl::memory::dims& shape, dnnl::memory& into, float size, unsigned seed) {
    dnnl::memory plain(dnnl::memory::desc(shape, dnnl::memory::data_type::f32, dnnl::memory::format_tag::abcde), engine_);
    auto* values = static_cast<float*>(plain.get_data_handle());
    std::mt19937 engine{seed};
    std::size_t count = 1;
    for (const auto n : shape) count *= static_cast<std::size_t>(n);
    for (std::size_t k = 0; k < count; ++k) values[k] = size * (static_cast<float>(engine() % 7) - 3.0f) / 3.0f;
    dnnl::reorder(plain, into).execute(stream_, plain, into);
    stream_.wait();
  }
  dnnl::engine engine_;
  dnnl::stream stream_;
  std::vector<std::pair<dnnl::primitive, std::unordered_map<int, dnnl::memory>>> steps_;
};
#endif

}  // namespace spinel::bench
