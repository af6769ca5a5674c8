// A small system of linear equations, by Gaussian elimination with pivoting.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <optional>
#include <utility>

namespace sluice::sense {

template <size_t N>
using Row = std::array<double, N>;

// Solves the first `unknowns` of a * x = b; the rest of x is zero. Nothing: a pivot is no greater
// than `pivot_min`, so that the system is as good as singular.
template <size_t N>
std::optional<Row<N>> solve_linear(std::array<Row<N>, N> a, Row<N> b, double pivot_min,
                                   size_t unknowns = N) {
  for (size_t i = 0; i < unknowns; ++i) {
    size_t pivot = i;
    for (size_t r = i + 1; r < unknowns; ++r) {
      if (std::abs(a[r][i]) > std::abs(a[pivot][i])) pivot = r;
    }
    std::swap(a[i], a[pivot]);
    std::swap(b[i], b[pivot]);
    if (!(std::abs(a[i][i]) > pivot_min)) return std::nullopt;
    for (size_t r = i + 1; r < unknowns; ++r) {
      const double factor = a[r][i] / a[i][i];
      for (size_t c = i; c < unknowns; ++c) a[r][c] -= factor * a[i][c];
      b[r] -= factor * b[i];
    }
  }
  Row<N> x{};
  for (size_t i = unknowns; i-- > 0;) {
    double sum = b[i];
    for (size_t c = i + 1; c < unknowns; ++c) sum -= a[i][c] * x[c];
    x[i] = sum / a[i][i];
  }
  return x;
}

}  // namespace sluice::sense
