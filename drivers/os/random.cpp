#include "drivers/os/random.h"

#include <sys/random.h>

#include <bit>
#include <cerrno>

#include "firmware/base/check.h"

namespace sluice::drivers {

namespace {

// G. Steele, D. Lea, C. Flood, "Fast splittable pseudorandom number generators", 2014.
uint64_t split_mix(uint64_t& state) {
  state += 0x9e3779b97f4a7c15;
  uint64_t mixed = state;
  mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
  return mixed ^ (mixed >> 31);
}

// FNV-1a, 64 bits (IETF draft-eastlake-fnv).
uint64_t hash_of(std::string_view name) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const char c : name) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 0x100000001b3;
  }
  return hash;
}

// Blocks only before the kernel has gathered entropy at boot.
void fill(char* to, size_t count) {
  while (count > 0) {
    const ssize_t got = getrandom(to, count, 0);
    if (got < 0 && errno == EINTR) continue;
    ENSURE(got > 0);
    to += got;
    count -= static_cast<size_t>(got);
  }
}

}  // namespace

SeededRandom::SeededRandom(uint64_t seed) {
  for (uint64_t& word : state_) word = split_mix(seed);
}

uint64_t SeededRandom::next() {
  const uint64_t out = std::rotl(state_[1] * 5, 7) * 9;
  const uint64_t shifted = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= shifted;
  state_[3] = std::rotl(state_[3], 45);
  return out;
}

std::unique_ptr<ports::Random> OsRandomStreams::stream(std::string_view consumer) {
  return std::make_unique<SeededRandom>(seed_ ^ hash_of(consumer));
}

std::string OsSecrets::bytes(size_t count) {
  std::string out(count, '\0');
  fill(out.data(), count);
  return out;
}

uint64_t system_seed() {
  uint64_t seed = 0;
  fill(reinterpret_cast<char*>(&seed), sizeof seed);
  return seed;
}

}  // namespace sluice::drivers
