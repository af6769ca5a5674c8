// How many handshakes may begin: token buckets over all clients and for each address. A bucket
// holds one second's worth. A value: `now` is an argument.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "firmware/base/time.h"

namespace sluice::drivers {

inline constexpr size_t kHandshakeAddressesMax = 4096;  // remembered; more at a time are refused

class HandshakeRate {
 public:
  void set(int64_t per_second, int64_t per_second_per_address);
  // False: not now.
  bool take(const std::string& address, Instant now);
  size_t addresses() const { return addresses_.size(); }

 private:
  struct Bucket {
    double left = 0;
    Instant filled;
  };
  static void fill(Bucket& bucket, double per_second, Instant now);
  bool has_room(Instant now);

  double per_second_ = 0;
  double per_address_ = 0;
  Bucket all_;
  bool started_ = false;
  std::map<std::string, Bucket> addresses_;
};

}  // namespace sluice::drivers
