// The malformed and the odd messages of tests/data/http, which the loopback tests send to the
// daemon too; tests/data/http/README.md tells the format. Here pauses count for nothing.
#pragma once

#include <string>
#include <vector>

namespace sluice::testing {

struct RequestVector {
  std::string id;
  std::string bytes;
  int accepted = 0;           // whole messages before the fault, if there is one
  std::vector<int> statuses;  // of the fault; empty: there is none
  bool ends = false;          // with a FIN, or with silence: then the last message may be half
};

struct ResponseVector {
  std::string id;
  std::string bytes;
  bool to_head = false;  // answers HEAD
  bool good = false;
  bool served = false;  // the fault lies behind a whole answer
  std::string told;     // the whole trace of a good one, a part of the fault of a bad one
};

std::vector<RequestVector> request_vectors();
std::vector<ResponseVector> response_vectors();

}  // namespace sluice::testing
