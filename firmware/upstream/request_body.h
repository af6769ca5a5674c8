// What the box reads in a request body, and the only edits it makes to it: the model's name where
// the node calls it otherwise, and a request for usage in streams, for the meter.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "firmware/base/result.h"
#include "firmware/base/units.h"
#include "firmware/ports/http_body.h"
#include "firmware/ports/json_stream_scan.h"
#include "firmware/upstream/multipart_scan.h"
#include "firmware/upstream/node_target.h"

namespace sluice::upstream {

// Bytes of a body; of none if the size is 0.
struct BodyRange {
  size_t begin = 0;
  size_t size = 0;
};

struct RequestBody {
  std::string model;
  bool stream = false;
  bool wants_usage = false;   // the client asked for the usage chunk itself
  Tokens output_max;          // zero = not said
  int choices = 1;            // n
  size_t prompt_bytes = 0;    // of messages, prompt or input, as JSON text; forms: see read_form
  BodyRange tools;            // what a prompt is made of, as JSON text; forms have none
  BodyRange system;           // of its own member: system, instructions
  BodyRange prompt;           // messages, prompt or input
  bool wants_schema = false;  // the answer is to be JSON, or of a given form
  std::string previous_response;  // id of the response that this one goes on from; empty: none
  // Where edits go, as offsets into the body.
  size_t model_begin = 0;  // the model's value, with its quotes
  size_t model_size = 0;
  size_t options_begin = 0;  // stream_options' value; size 0 = absent
  size_t options_size = 0;
  std::string options;  // its text
  size_t close_brace = 0;
  bool is_form = false;  // the model's value stands in it as it is
};

// Finds it all while the body arrives: a body that is not held in memory is looked at piece by
// piece, others once, at their end.
// A value. Order: advance() as the body grows, if only now and then; finish() once.
class RequestReader {
 public:
  // `content_type`: the field's value; tells a form's boundary.
  explicit RequestReader(Endpoint endpoint, std::string_view content_type = "")
      : endpoint_(endpoint), content_type_(content_type) {}

  // `so_far`: the same body each time. Errors: as finish(), as soon as it is known.
  Result<void> advance(const ports::HttpBody& so_far);
  // Errors: refused, with the text for the client; broken as above.
  Result<RequestBody> finish(const ports::HttpBody& whole);

 private:
  Result<void> advance_form(const ports::HttpBody& so_far);
  Result<ports::JsonScan> scan(const ports::HttpBody& whole);

  Endpoint endpoint_;
  std::string content_type_;
  uint64_t scanned_ = 0;
  std::string buffer_;
  std::optional<ports::JsonStreamScan> pieces_;  // of a body that is not held in memory
  std::optional<MultipartScan> form_;            // endpoints that take one
};

// The body for a node that calls the model `upstream_model`: `body` itself if nothing changes.
std::shared_ptr<const ports::HttpBody> body_for_node(
    const std::shared_ptr<const ports::HttpBody>& body, const RequestBody& read,
    const std::string& upstream_model, bool ask_for_usage);

}  // namespace sluice::upstream
