// Requests as bytes, each with what a server must make of it. The first digit of an id is the
// class: 1 framing, 2 chunks, 3 lines, 4 start line, 5 Host, 6 connection and expectations.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sluice::testing {

struct RequestVector {
  const char* id;
  std::string bytes;
  int status;  // of the refusal; 0 = accepted, and `messages` of them end
  int messages = 1;
};

std::vector<RequestVector> request_vectors();

}  // namespace sluice::testing
