// Bodies from anybody, by the decoder alone: the first octet says how the length is told. The
// decoder must not crash, give the same octets however they were cut, never give more than it was
// given, and leave no more unread than its limits allow.
#include "drivers/http1/body_decoder.h"

#include <string>

#include "firmware/base/check.h"

namespace {

using namespace sluice;

ports::HttpLimits limits() {
  ports::HttpLimits small;  // so that short inputs reach them
  small.chunk_line_max = Bytes{40};
  small.trailer_max = Bytes{100};
  return small;
}

void start(drivers::BodyDecoder* decoder, unsigned how) {
  if (how % 4 == 0) return decoder->start_until_close();
  if (how % 4 == 1) return decoder->start_counted(how / 4);
  decoder->start_chunked();
}

// What was decoded, and how it ended.
std::string decode(std::string_view bytes, unsigned how, size_t piece) {
  drivers::BodyDecoder decoder(limits());
  start(&decoder, how);
  std::string out;
  std::string kept;
  for (size_t at = 0; at <= bytes.size(); at += piece) {
    kept.append(bytes.substr(at, piece));
    while (true) {
      const ports::HttpStep step = decoder.step(kept);
      ENSURE(step.consumed <= kept.size());
      out += step.body;
      ENSURE(out.size() <= bytes.size());
      if (step.event == ports::HttpEvent::end) return out + "|end";
      if (step.event == ports::HttpEvent::fault) return out + "|" + step.fault;
      kept.erase(0, step.consumed);
      if (step.event == ports::HttpEvent::need_more) break;
    }
    ENSURE(kept.size() <= 110);  // part of a chunk line or of a trailer line
  }
  const ports::HttpStep last = decoder.at_end();
  return out + (last.event == ports::HttpEvent::end ? "|end" : "|" + last.fault);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string bytes(data + 1, data + size);
  const std::string whole = decode(bytes, data[0], bytes.size() + 1);
  ENSURE(decode(bytes, data[0], 1) == whole);
  ENSURE(decode(bytes, data[0], 2 + data[size - 1] % 29) == whole);
  return 0;
}
