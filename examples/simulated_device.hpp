// SPDX-License-Identifier: Apache-2.0
// A transmon of three levels under calibration, for trying policies: pulses and waiting are integrated as a Lindblad equation in time, never
// by the closed forms that the engine fits. Frequency, T1 and drive gain drift; faults can be injected; every experiment costs wall-clock.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <complex>
#include <cstdint>
#include <random>
#include <string_view>
#include <vector>

namespace spinel::example {

/// Density matrix of three levels as nine real numbers: three populations, then real and imaginary parts of the 01, 02, 12 coherences.
using State = std::array<double, 9>;

/// Real linear map of a State.
struct Superoperator {
  double m[9][9]{};

  static Superoperator identity() {
    Superoperator one;
    for (int k = 0; k < 9; ++k) one.m[k][k] = 1;
    return one;
  }
  void add(const Superoperator& other, double factor) {
    for (int i = 0; i < 9; ++i)
      for (int j = 0; j < 9; ++j) m[i][j] += factor * other.m[i][j];
  }
  Superoperator operator*(const Superoperator& other) const {
    Superoperator out;
    for (int i = 0; i < 9; ++i)
      for (int k = 0; k < 9; ++k)
        for (int j = 0; j < 9; ++j) out.m[i][j] += m[i][k] * other.m[k][j];
    return out;
  }
  State operator*(const State& state) const {
    State out{};
    for (std::size_t i = 0; i < 9; ++i)
      for (std::size_t j = 0; j < 9; ++j) out[i] += m[i][j] * state[j];
    return out;
  }
};

/// What goes wrong in one experiment.
enum class Fault : std::uint8_t { none, dead_line, readout_noise, lo_hop, wrong_power, swapped_states };

/// One sweep with its standard errors.
struct Trace {
  std::vector<double> x, y, error;
};

class SimulatedTransmon {
 public:
  static constexpr double pi_time = 40e-9, anharmonicity = -3.0e8, pi2 = 6.283185307179586;
  static constexpr double gain0 = 12.5e6 / 0.4;  ///< Rabi frequency in Hz at amplitude 1, before drift

  explicit SimulatedTransmon(std::uint64_t seed) : generator_(seed) {
    // dr/dt = L r with L linear in detuning, drive, relaxation and dephasing: four fixed parts, found column by column.
    for (int part = 0; part < 4; ++part)
      for (std::size_t k = 0; k < 9; ++k) {
        State unit{};
        unit[k] = 1;
        const State column = derivative(unit, part);
        for (std::size_t i = 0; i < 9; ++i) parts_[part].m[i][k] = column[i];
      }
    detuning_ = 20e3 * normal();
  }

  // == Truth: for keeping the score, never for a policy ==
  double f01() const { return f0_ + detuning_ + telegraph_ + jump_; }
  double t1() const { return 40e-6 * std::exp(log_t1_); }
  double pi_amplitude() const { return 0.5 / (pi_time * gain0 * std::exp(log_gain_)); }
  double now_s() const { return now_; }

  /// Lets `seconds` pass: Ornstein-Uhlenbeck frequency (3 h), T1 and gain, a two-level system that switches, rare jumps.
  void wait(double seconds) {
    now_ += seconds;
    const auto relax = [&](double value, double sigma, double tau) {
      const double keep = std::exp(-seconds / tau);
      return value * keep + sigma * std::sqrt(1 - keep * keep) * normal();
    };
    detuning_ = relax(detuning_, 20e3, 3 * 3600.0);
    log_t1_ = relax(log_t1_, 0.18, 2 * 3600.0);
    log_gain_ = relax(log_gain_, 0.03, 20 * 3600.0);
    if (uniform() < 1 - std::exp(-seconds / (6 * 3600.0))) telegraph_ = telegraph_ > 0 ? -15e3 : 15e3;
    if (uniform() < seconds / (60 * 86400.0)) jump_ += uniform() < 0.5 ? 3e5 : -3e5;
  }

  /// Ramsey with the drive at `f_set`: fringes at the virtual detuning minus the true offset.
  Trace ramsey(double f_set, double amplitude, double virtual_detuning, double window, int points, int shots, Fault fault) {
    Trace trace = axis(0, window, points);
    const double offset = f01() - f_set;
    for (std::size_t k = 0; k < trace.x.size(); ++k) {
      const bool hop = fault == Fault::lo_hop && k > trace.x.size() / 2;
      const double delta = offset + (hop ? 8e5 : 0.0);
      const auto half = pulse(0.5 * amplitude, delta, fault);
      State state = wait_for(half * ground(), delta, trace.x[k]);
      turn(state, pi2 * virtual_detuning * trace.x[k]);
      measure(trace, k, half * state, shots, fault);
    }
    spend(points, shots, window);
    return trace;
  }

  Trace relaxation(double amplitude, double f_set, double window, int points, int shots, Fault fault) {
    Trace trace = axis(0, window, points);
    const double delta = f01() - f_set;
    const State excited = pulse(amplitude, delta, fault) * ground();
    for (std::size_t k = 0; k < trace.x.size(); ++k) measure(trace, k, wait_for(excited, delta, trace.x[k]), shots, fault);
    spend(points, shots, window);
    return trace;
  }

  Trace rabi(double f_set, double top, int points, int shots, Fault fault) {
    Trace trace = axis(0, top, points);
    const double delta = f01() - f_set;
    for (std::size_t k = 0; k < trace.x.size(); ++k) {
      const bool late = fault == Fault::lo_hop && k > trace.x.size() / 2;
      measure(trace, k, pulse(trace.x[k], delta + (late ? 2e7 : 0.0), fault) * ground(), shots, fault);
    }
    spend(points, shots, pi_time);
    return trace;
  }

  double uniform() { return std::uniform_real_distribution<double>{}(generator_); }

 private:
  static constexpr double f0_ = 5.0e9;
  using Complex = std::complex<double>;
  using Matrix = std::array<std::array<Complex, 3>, 3>;

  double normal() { return std::normal_distribution<double>{}(generator_); }
  static State ground() { return {0.99, 0.01, 0, 0, 0, 0, 0, 0, 0}; }
  static Trace axis(double start, double stop, int points) {
    Trace trace;
    for (int k = 0; k < points; ++k) trace.x.push_back(start + (stop - start) * k / (points - 1));
    trace.y.resize(trace.x.size());
    trace.error.resize(trace.x.size());
    return trace;
  }
  void spend(int points, int shots, double sequence) { wait(0.8 + points * shots * (200e-6 + 0.5 * sequence)); }

  static Matrix product(const Matrix& a, const Matrix& b) {
    Matrix c{};
    for (std::size_t i = 0; i < 3; ++i)
      for (std::size_t k = 0; k < 3; ++k)
        for (std::size_t j = 0; j < 3; ++j) c[i][j] += a[i][k] * b[k][j];
    return c;
  }
  static Matrix dagger(const Matrix& a) {
    Matrix c{};
    for (std::size_t i = 0; i < 3; ++i)
      for (std::size_t j = 0; j < 3; ++j) c[i][j] = std::conj(a[j][i]);
    return c;
  }
  /// Derivative for a unit of: 0 detuning (Hz, with nothing else), 1 Rabi frequency (Hz), 2 relaxation (1/s), 3 dephasing (1/s).
  /// Anharmonicity is added to part 0 in `generator`.
  static State derivative(const State& r, int part) {
    Matrix rho{};
    for (std::size_t k = 0; k < 3; ++k) rho[k][k] = r[k];
    const std::size_t pairs[3][2] = {{0, 1}, {0, 2}, {1, 2}};
    for (std::size_t p = 0; p < 3; ++p) {
      rho[pairs[p][0]][pairs[p][1]] = Complex{r[3 + 2 * p], r[4 + 2 * p]};
      rho[pairs[p][1]][pairs[p][0]] = Complex{r[3 + 2 * p], -r[4 + 2 * p]};
    }
    Matrix lower{}, h{}, out{};
    lower[0][1] = 1;
    lower[1][2] = std::sqrt(2.0);
    if (part == 0) h[1][1] = pi2, h[2][2] = 2 * pi2;
    if (part == 1)
      for (std::size_t i = 0; i < 3; ++i)
        for (std::size_t j = 0; j < 3; ++j) h[i][j] = 0.5 * pi2 * (lower[i][j] + lower[j][i]);
    Matrix c{};
    if (part == 2) c = lower;
    if (part == 3) c[1][1] = std::sqrt(2.0), c[2][2] = 2 * std::sqrt(2.0);
    const Matrix hr = product(h, rho), rh = product(rho, h), jump = product(product(c, rho), dagger(c)), cc = product(dagger(c), c);
    const Matrix left = product(cc, rho), right = product(rho, cc);
    for (std::size_t i = 0; i < 3; ++i)
      for (std::size_t j = 0; j < 3; ++j) out[i][j] = Complex{0, -1} * (hr[i][j] - rh[i][j]) + jump[i][j] - 0.5 * (left[i][j] + right[i][j]);
    State back{};
    for (std::size_t k = 0; k < 3; ++k) back[k] = out[k][k].real();
    for (std::size_t p = 0; p < 3; ++p) {
      back[3 + 2 * p] = out[pairs[p][0]][pairs[p][1]].real();
      back[4 + 2 * p] = out[pairs[p][0]][pairs[p][1]].imag();
    }
    return back;
  }

  Superoperator generator(double delta, double rabi) const {
    Superoperator l;
    l.add(parts_[0], delta);
    l.add(parts_[1], rabi);
    l.add(parts_[2], 1 / t1());
    l.add(parts_[3], 1 / 60e-6);
    // Anharmonicity turns the coherences of level 2: d rho_j2/dt = i 2 pi a rho_j2.
    for (const int at : {5, 7}) {
      l.m[at][at + 1] += -pi2 * anharmonicity;
      l.m[at + 1][at] += pi2 * anharmonicity;
    }
    return l;
  }
  /// exp(L time) as 2^`doublings` steps of the fourth-order Runge-Kutta scheme, which for a constant L is its Taylor polynomial.
  static Superoperator integrate(const Superoperator& l, double time, int doublings) {
    const double h = std::ldexp(time, -doublings);
    Superoperator step = Superoperator::identity(), power = Superoperator::identity();
    double factor = 1;
    for (int order = 1; order <= 4; ++order) {
      power = power * l;
      factor *= h / order;
      step.add(power, factor);
    }
    for (int k = 0; k < doublings; ++k) step = step * step;
    return step;
  }
  Superoperator pulse(double amplitude, double delta, Fault fault) const {
    const double power = fault == Fault::dead_line ? 0.0 : fault == Fault::wrong_power ? 1.6 : 1.0;
    return integrate(generator(delta, amplitude * power * gain0 * std::exp(log_gain_)), pi_time, 9);
  }
  /// Free evolution at most 1/(16 |anharmonicity|) a step would cost much: the generator without drive is integrated in doublings.
  State wait_for(const State& state, double delta, double time) const {
    if (time <= 0) return state;
    const int doublings = std::max(0, static_cast<int>(std::ceil(std::log2(time * pi2 * 3.2e8 / 0.2))));
    return integrate(generator(delta, 0), time, doublings) * state;
  }
  /// Virtual turn about z by `angle`: advances the drive's phase.
  static void turn(State& state, double angle) {
    const auto rotate = [&](std::size_t at, double by) {
      const double c = std::cos(by), s = std::sin(by), re = state[at], im = state[at + 1];
      state[at] = c * re - s * im;
      state[at + 1] = s * re + c * im;
    };
    rotate(3, -angle);
    rotate(5, -2 * angle);
    rotate(7, -angle);
  }
  void measure(Trace& trace, std::size_t k, const State& state, int shots, Fault fault) {
    double p = 0.02 + 0.94 * (state[1] + state[2]);
    if (fault == Fault::readout_noise) p = uniform();
    if (fault == Fault::swapped_states) p = 1 - p;
    p = std::fmin(std::fmax(p, 0.0), 1.0);
    const double hits = std::binomial_distribution<int>{shots, p}(generator_);
    trace.y[k] = hits / shots;
    const double q = (hits + 1) / (shots + 2.0);
    trace.error[k] = std::sqrt(q * (1 - q) / shots);
  }

  std::mt19937_64 generator_;
  Superoperator parts_[4];
  double now_ = 1.79e9, detuning_ = 0, telegraph_ = 15e3, jump_ = 0, log_t1_ = 0, log_gain_ = 0;
};

}  // namespace spinel::example
