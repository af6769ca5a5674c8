#include "firmware/upstream/multipart_scan.h"

#include <doctest/doctest.h>

#include <string>

#include "firmware/upstream/multipart_request.h"

namespace sluice::upstream {

namespace {

constexpr const char* kType = "multipart/form-data; boundary=B";

std::string part(std::string_view name, std::string_view value, std::string_view more = "") {
  return "--B\r\nContent-Disposition: form-data; name=\"" + std::string(name) + "\"" +
         std::string(more) + "\r\n\r\n" + std::string(value) + "\r\n";
}

std::string file(std::string_view bytes) {
  return part("file", bytes, "; filename=\"a.wav\"\r\nContent-Type: audio/wav");
}

MultipartScan scanned(std::string_view body, size_t piece) {
  MultipartScan scan("B", wanted_fields());
  for (size_t at = 0; at < body.size(); at += piece) scan.feed(body.substr(at, piece));
  return scan;
}

std::string fault_of(std::string_view body) {
  std::string text;
  for (const size_t piece : {size_t{1}, size_t{3}, body.size() + 1}) {
    MultipartScan scan = scanned(body, piece);
    const Result<void> ok = scan.finish();
    REQUIRE_FALSE(ok.has_value());
    CHECK(ok.error().kind == ErrorKind::refused);
    if (!text.empty()) CHECK(text == ok.error().text);
    text = ok.error().text;
  }
  return text;
}

Result<RequestBody> read(std::string body, Endpoint endpoint = Endpoint::transcriptions,
                         std::string_view type = kType) {
  return RequestReader(endpoint, type).finish(ports::TextBody(std::move(body)));
}

bool has(std::string_view text, std::string_view word) {
  return text.find(word) != std::string_view::npos;
}

}  // namespace

TEST_CASE("multipart: parts are found where they stand, however the body is cut") {
  const std::string recording = std::string("RIFF\0\r\n--\r\n--A\r\r\n--", 18) + "C\r\n-";
  const std::string body =
      file(recording) + part("model", "whisper") + part("empty", "") + "--B--\r\n";
  for (size_t piece = 1; piece <= body.size(); ++piece) {
    MultipartScan scan = scanned(body, piece);
    REQUIRE(scan.finish().has_value());
    REQUIRE(scan.parts().size() == 3);
    const MultipartPart& first = scan.parts()[0];
    CHECK(first.is_file);
    CHECK(body.substr(first.begin, first.size) == recording);
    CHECK(first.value.empty());
    const MultipartPart& model = scan.parts()[1];
    CHECK(model.name == "model");
    CHECK(model.value == "whisper");
    CHECK(body.substr(model.begin, model.size) == "whisper");
    CHECK(scan.parts()[2].size == 0);
  }
}

TEST_CASE("multipart: blanks behind a boundary are allowed, and no line's end behind the last") {
  std::string body = part("model", "m") + "--B--";
  body.insert(3, " \t");
  CHECK(scanned(body, 2).finish().has_value());
}

TEST_CASE("multipart: an empty line may stand behind the last boundary, and no more") {
  const std::string form = part("model", "m") + "--B--\r\n";
  CHECK(scanned(form, 1).finish().has_value());
  CHECK(scanned(form + "\r\n", 1).finish().has_value());
  CHECK(has(fault_of(form + "\r"), "within a line's end"));
  CHECK(has(fault_of(form + "\r\n\r\n"), "behind the last boundary"));
}

TEST_CASE("multipart: where two readers might differ, the form is refused") {
  const std::string good = part("model", "m");
  CHECK(has(fault_of("preamble\r\n" + good + "--B--"), "does not begin with its boundary"));
  CHECK(has(fault_of(good + "--B--\r\nmore"), "behind the last boundary"));
  CHECK(has(fault_of(good), "before its last boundary"));
  CHECK(has(fault_of(good + "--B--\r"), "within a line's end"));
  CHECK(has(fault_of(good + "--Bx\r\n"), "line of its own"));
  CHECK(has(fault_of(good + "--B-x"), "line of its own"));
  CHECK(has(fault_of("--B\n"), "line of its own"));
  CHECK(has(fault_of("--B\rx"), "CRLF"));
  CHECK(has(fault_of("--B\r\n\r\nx\r\n--B--"), "no Content-Disposition"));
  CHECK(has(fault_of("--B\r\nContent-Disposition: form-data\r\n\r\n"), "no name"));
  CHECK(
      has(fault_of("--B\r\nContent-Disposition: form-data; name=a; name=b\r\n\r\n"), "two names"));
  CHECK(has(fault_of("--B\r\nContent-Disposition: attachment; name=a\r\n\r\n"), "not form-data"));
  for (const char* other : {"name*=utf-8''model", "Name*0=mod; name*1=el"}) {
    const std::string head = std::string("Content-Disposition: form-data; name=a; ") + other;
    CHECK(has(fault_of("--B\r\n" + head + "\r\n\r\n"), "encoded"));
  }
  CHECK(has(fault_of("--B\r\nContent-Disposition: form-data; name=\"a\r\n\r\n"), "cannot be read"));
  CHECK(has(fault_of("--B\r\nContent-Disposition: form-data; name=a\nX: y\r\n\r\n"), "CRLF"));
  CHECK(has(fault_of("--B\r\nContent-Disposition: form-data; name=a\r\n folded\r\n\r\n"),
            "no field"));
  CHECK(has(fault_of("--B\r\nContent-Disposition: form-data; name=a\r\n"
                     "Content-Transfer-Encoding: base64\r\n\r\n"),
            "encoded"));
}

TEST_CASE("multipart: heads, fields and parts are bounded") {
  CHECK(has(fault_of("--B\r\nX: " + std::string(MultipartScan::kHeadMax, 'x')), "longer than"));
  CHECK(
      has(fault_of(part("model", std::string(MultipartScan::kValueMax + 1, 'm'))), "longer than"));
  std::string many;
  for (size_t i = 0; i <= MultipartScan::kPartsMax; ++i) many += part("f", "x");
  CHECK(has(fault_of(many), "more than 128 parts"));
}

TEST_CASE("multipart: names are quoted or plain, and escaped marks are part of them") {
  CHECK(read_part_head("content-disposition: FORM-DATA;name=model\r\n")->name == "model");
  CHECK(read_part_head("Content-Disposition: form-data; name=\"a\\\"b\"\r\n")->name == "a\"b");
  CHECK(read_part_head("Content-Disposition: form-data; name=a; filename*=utf-8''x\r\n")->is_file);
}

TEST_CASE("multipart: the boundary is what Content-Type says, if that is allowed") {
  CHECK(*multipart_boundary("multipart/form-data; boundary=----x1") == "----x1");
  CHECK(*multipart_boundary("Multipart/Form-Data; charset=utf-8; boundary=\"a b?c\"") == "a b?c");
  for (const char* type :
       {"", "application/json", "multipart/mixed; boundary=x", "multipart/form-data",
        "multipart/form-data; boundary=", "multipart/form-data; boundary=a; boundary=b",
        "multipart/form-data; boundary=\"a \"", "multipart/form-data; boundary=\"a",
        "multipart/form-data boundary=a"}) {
    CAPTURE(type);
    CHECK_FALSE(multipart_boundary(type).has_value());
  }
  CHECK(multipart_boundary("multipart/form-data; boundary=" + std::string(70, 'b')).has_value());
  CHECK_FALSE(multipart_boundary("multipart/form-data; boundary=" + std::string(71, 'b')));
}

TEST_CASE("multipart request: model, stream and number are read, the size is estimated") {
  const std::string body = file(std::string(8192, 'w')) + part("model", "whisper") +
                           part("stream", "True") + part("prompt", "names") + "--B--\r\n";
  const Result<RequestBody> form = read(body);
  REQUIRE(form.has_value());
  CHECK(form->model == "whisper");
  CHECK(form->stream);
  CHECK(form->is_form);
  CHECK(form->prompt_bytes == 16 + 7 + 4 + 5);
  CHECK(read(part("model", "m") + part("n", "3") + "--B--", Endpoint::image_edits)->choices == 3);
  CHECK_FALSE(
      read(part("model", "m") + part("stream", "true") + "--B--", Endpoint::image_variations)
          ->stream);
}

TEST_CASE("multipart request: what is wrong is told by the field's name") {
  CHECK(has(read(file("x") + "--B--").error().text, "\"model\""));
  CHECK(has(read(part("model", "a") + part("model", "a") + "--B--").error().text,
            "two fields \"model\""));
  CHECK(has(read(part("model", "a", "; filename=x") + "--B--").error().text, "not a file"));
  CHECK(has(read(part("model", "") + "--B--").error().text, "1 to 256 bytes"));
  CHECK(has(read(part("model", "a\nb") + "--B--").error().text, "one line"));
  CHECK(
      has(read(part("model", "m") + part("stream", "maybe") + "--B--").error().text, "\"stream\""));
  CHECK(has(read(part("model", "m") + part("n", "0") + "--B--").error().text, "\"n\""));
  CHECK(has(read("{}", Endpoint::transcriptions, "application/json").error().text,
            "multipart/form-data"));
}

TEST_CASE("multipart request: only the model's value changes for the node") {
  const std::string body = part("model", "alias") + file("\r\n--") + "--B--\r\n";
  const auto kept = std::make_shared<const ports::TextBody>(body);
  const RequestBody form = *read(body);
  CHECK(body_for_node(kept, form, "alias", false) == kept);
  const auto edited = body_for_node(kept, form, "whisper-large-v3", false);
  const Result<std::string> text =
      ports::read_range(*edited, 0, static_cast<size_t>(edited->size()));
  std::string expected = body;
  expected.replace(expected.find("alias"), 5, "whisper-large-v3");
  CHECK(*text == expected);
}

}  // namespace sluice::upstream
