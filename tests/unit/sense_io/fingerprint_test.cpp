#include "firmware/sense/fingerprint.h"

#include "tests/unit/sense_io/samples.h"

namespace sluice::sense {
namespace {

FingerprintMatch of_page(std::string_view text, const DriverFacts& facts) {
  const Exposition page = parse_exposition(text);
  Answers answers;
  answers.page = &page;
  return fingerprint(answers, facts);
}

FingerprintMatch of_document(const char* path, const char* text, const DriverFacts& facts) {
  const Result<ports::JsonValue> json = ports::parse_json(text);
  REQUIRE(json);
  Answers answers;
  answers.documents.push_back({path, &*json});
  return fingerprint(answers, facts);
}

TEST_CASE("fingerprint: it names what matched, or what is missing") {
  const DriverFacts nim = built_in_facts("nim");
  const FingerprintMatch fits = of_page("num_request_max 4\nnum_requests_running 1\n", nim);
  CHECK(fits.fits);
  CHECK(fits.matched == std::vector<std::string>{"num_request_max", "num_requests_running"});
  CHECK(fits.strength() == 2);
  CHECK(of_page("num_requests_running 1\n", nim).why_not == "there is no num_request_max");
  CHECK(of_page("num_request_max 1\n", nim).why_not ==
        "there is none of num_requests_running, num_requests_waiting");
  CHECK(
      of_page("num_request_max 4\nnum_requests_running 1\nnpu_cache_usage_perc 0\n", nim).why_not ==
      "there is npu_cache_usage_perc, which is another's");
  CHECK(fingerprint({}, nim).why_not == "no metrics page was answered");
}

TEST_CASE("fingerprint: a router's label tells it from the engine whose names it repeats") {
  const char* page = "vllm:num_requests_running{server=\"http://a\"} 1\n";
  const FingerprintMatch engine = of_page(page, built_in_facts("vllm"));
  CHECK_FALSE(engine.fits);
  CHECK(engine.why_not == "vllm:num_requests_running carry a label server");
  CHECK(of_page(page, built_in_facts("vllm-router")).fits);
  CHECK_FALSE(of_page("vllm:num_requests_running 1\n", built_in_facts("vllm-router")).fits);
}

TEST_CASE("fingerprint: a model's name tells Moore Threads from the maker whose names it speaks") {
  const char* mtt = "DCGM_FI_DEV_GPU_UTIL{modelName=\"MTT S4000\"} 1\n";
  const char* tesla = "DCGM_FI_DEV_GPU_UTIL{modelName=\"Tesla T4\"} 1\n";
  CHECK(of_page(mtt, built_in_facts("moorethreads")).fits);
  CHECK_FALSE(of_page(mtt, built_in_facts("nvidia-dcgm")).fits);
  CHECK(of_page(tesla, built_in_facts("nvidia-dcgm")).fits);
  CHECK(of_page(tesla, built_in_facts("moorethreads")).why_not ==
        "no modelName of its series begins with MTT");
}

TEST_CASE("fingerprint: a document proves its engine by itself") {
  CHECK(of_document("/api/ps", R"({"models":[]})", built_in_facts("ollama")).matched ==
        std::vector<std::string>{"/api/ps models"});
  CHECK(of_document("/api/ps", R"({"names":[]})", built_in_facts("ollama")).why_not ==
        "none of its documents was answered");
  CHECK(
      of_document("/v1/models", R"({"data":[{"owned_by":"vllm"}]})", built_in_facts("vllm")).fits);
  CHECK_FALSE(
      of_document("/v1/models", R"({"data":[{"owned_by":"me"}]})", built_in_facts("vllm")).fits);
  CHECK_FALSE(of_document("/v1/models", R"({"data":"none"})", built_in_facts("vllm")).fits);
}

TEST_CASE("fingerprint: any prefix is found where the facts allow it, and no other is taken") {
  const DriverFacts facts = built_in_facts("cambricon");
  const auto page = [](const std::string& prefix) {
    std::string text;
    for (const char* name : {"utilization", "memory_used", "memory_total"}) {
      text += prefix + name + "{mlu=\"0\",uuid=\"u\"} 1\n";
    }
    return text;
  };
  CHECK(of_page(page("mlu_"), facts).prefix == "mlu_");
  CHECK(of_page(page(""), facts).fits);
  const FingerprintMatch odd = of_page("a_utilization{mlu=\"0\"} 1\n" + page("brand_"), facts);
  CHECK(odd.fits);
  CHECK(odd.prefix == "brand_");
  CHECK(odd.matched[0] == "brand_utilization");
  CHECK_FALSE(of_page(page(std::string(65, 'x') + "_"), facts).fits);
  const std::string mixed = "a_utilization{mlu=\"0\"} 1\nb_memory_used 1\nc_memory_total 1\n";
  CHECK_FALSE(of_page(mixed, facts).fits);
}

TEST_CASE("fingerprint: a vendor without public names is never found, and says why") {
  const FingerprintMatch none = of_page("anything 1\n", built_in_facts("biren"));
  CHECK_FALSE(none.fits);
  CHECK(none.why_not.starts_with("No public material"));
  CHECK(of_page("anything 1\n", built_in_facts("openai")).why_not == "nothing proves this driver");
}

}  // namespace
}  // namespace sluice::sense
