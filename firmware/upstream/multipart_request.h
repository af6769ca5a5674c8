// What the box reads in a form (audio, images): the model's name, whether a stream is wanted, how
// many answers. The form passes on byte by byte, but for the model's name where the node calls it
// otherwise.
#pragma once

#include <string>
#include <vector>

#include "firmware/upstream/multipart_scan.h"
#include "firmware/upstream/request_body.h"

namespace sluice::upstream {

// Nobody knows the tokens of a recording or a picture before the node has read it. The estimate: a
// token for 2 KiB of file, of which speech at usual rates has 5 to 15 in a second.
inline constexpr uint64_t kFileBytesPerToken = 2048;

std::vector<std::string> wanted_fields();

// `scan` has finished well. Errors: refused, with the text for the client.
Result<RequestBody> read_form(const MultipartScan& scan, const EndpointFacts& facts);

}  // namespace sluice::upstream
