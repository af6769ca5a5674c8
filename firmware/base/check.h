// ENSURE(cond): always on. An impossible state ends the process; the supervisor restarts it.
// Never for what a peer, a file or a person may send: that is a Result.
#pragma once

namespace sluice {

[[noreturn]] void check_failed(const char* condition, const char* file, int line) noexcept;

}  // namespace sluice

#define ENSURE(condition) \
  ((condition) ? static_cast<void>(0) : ::sluice::check_failed(#condition, __FILE__, __LINE__))
