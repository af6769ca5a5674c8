#include "firmware/sense/prober_answers.h"

#include "tests/unit/sense_io/samples.h"

namespace sluice::sense {
namespace {

TEST_CASE("model list: names in order, each once, and the smallest stated length") {
  const Result<ModelList> vllm = read_model_list(read_sample("vllm-v1-models.json"));
  REQUIRE(vllm);
  CHECK(vllm->names == std::vector<std::string>{"qwen3-32b"});
  CHECK(vllm->max_model_len == 32768);

  const Result<ModelList> list = read_model_list(
      R"({"data":[{"id":"b","max_model_len":4096},{"id":"a","max_model_len":1024},{"id":"b"},
                  {"id":7},{"id":""},5,{"id":"c","max_model_len":-1}]})");
  REQUIRE(list);
  CHECK(list->names == std::vector<std::string>{"b", "a", "c"});
  CHECK(list->max_model_len == 1024);
}

TEST_CASE("model list: an empty list is a list, anything else is broken") {
  const Result<ModelList> empty = read_model_list(R"({"data":[]})");
  REQUIRE(empty);
  CHECK(empty->names.empty());
  CHECK_FALSE(empty->max_model_len.has_value());
  for (const char* text : {"", "[]", "{}", R"({"data":{}})", R"({"data":[)", "<html>"}) {
    CAPTURE(text);
    CHECK_FALSE(read_model_list(text));
  }
}

TEST_CASE("model list: its length and its names are bounded") {
  std::string many = R"({"data":[)";
  for (size_t i = 0; i < kListedModelsMax + 50; ++i) {
    many += R"({"id":"m)" + std::to_string(i) + R"("},)";
  }
  many += R"({"id":"last"}]})";
  CHECK(read_model_list(many)->names.size() == kListedModelsMax);
  const std::string long_name(kModelNameBytesMax + 1, 'x');
  CHECK(read_model_list(R"({"data":[{"id":")" + long_name + R"("}]})")->names.empty());
}

}  // namespace
}  // namespace sluice::sense
