#include "firmware/sense/identity.h"

#include <algorithm>

namespace sluice::sense {

namespace {

bool says_never(const DriverFacts& driver, const std::string& path) {
  return std::any_of(driver.scrape.never_ask.begin(), driver.scrape.never_ask.end(),
                     [&](const auto& never) { return never.first == path; });
}

void add_once(std::vector<std::string>& paths, const std::string& path) {
  if (std::find(paths.begin(), paths.end(), path) == paths.end()) paths.push_back(path);
}

bool reads_status(const DriverFacts& driver, const SurveyAnswer& answer) {
  if (answer.is_ok()) return true;
  return answer.failure.empty() &&
         std::any_of(driver.documents.begin(), driver.documents.end(), [&](const auto& document) {
           return document.path == answer.path &&
                  std::find(document.statuses.begin(), document.statuses.end(), answer.status) !=
                      document.statuses.end();
         });
}

// One that nothing proves: what is left for a server that lists models and tells no more.
bool is_generic(const DriverFacts& driver) {
  return driver.kind == DriverKind::engine && driver.models_path && driver.no_names.empty() &&
         !driver.fingerprint.has_page() && driver.fingerprint.documents.empty();
}

bool lists_models(const AnswersRead& answers, const DriverFacts& driver) {
  const Answers read = answers.for_driver(driver);
  const DocumentAnswer* list = read.document(*driver.models_path);
  const ports::JsonValue* data =
      list == nullptr || list->json == nullptr ? nullptr : list->json->find("data");
  return data != nullptr && data->as_array() != nullptr;
}

}  // namespace

std::vector<std::string> first_questions(const std::vector<const DriverFacts*>& drivers) {
  std::vector<std::string> paths;
  for (const DriverFacts* driver : drivers) {
    for (const std::string& page : driver->scrape.pages) add_once(paths, page);
  }
  for (const DriverFacts* driver : drivers) {
    for (const DocumentCondition& document : driver->fingerprint.documents) {
      add_once(paths, document.path);
    }
    if (driver->models_path) add_once(paths, *driver->models_path);
  }
  std::erase_if(paths, [&](const std::string& path) {
    return std::any_of(drivers.begin(), drivers.end(),
                       [&](const DriverFacts* driver) { return says_never(*driver, path); });
  });
  return paths;
}

void AnswersRead::add(std::vector<SurveyAnswer> answers) {
  for (SurveyAnswer& told : answers) {
    const SurveyAnswer& answer = answers_.emplace_back(std::move(told));
    Read read;
    if (answer.failure.empty() && answer.status != 0) {
      Result<ports::JsonValue> json = ports::parse_json(answer.body);
      if (json) read.json = std::move(*json);
    }
    if (answer.is_ok() && !read.json) {
      ExpositionLimits limits;
      limits.open_metrics = answer.open_metrics;
      read.page = parse_exposition(answer.body, limits);
    }
    read_.push_back(std::move(read));
  }
}

const AnswersRead::Read* AnswersRead::page_of(const DriverFacts& driver, std::string* path) const {
  for (const std::string& wanted : driver.scrape.pages) {
    for (size_t i = 0; i < answers_.size(); ++i) {
      if (answers_[i].path != wanted || read_[i].page.samples.empty()) continue;
      if (path != nullptr) *path = wanted;
      return &read_[i];
    }
  }
  return nullptr;
}

std::string AnswersRead::page_path(const DriverFacts& driver) const {
  std::string path;
  (void)page_of(driver, &path);
  return path;
}

Answers AnswersRead::for_driver(const DriverFacts& driver) const {
  Answers answers;
  if (const Read* page = page_of(driver, nullptr)) answers.page = &page->page;
  for (size_t i = 0; i < answers_.size(); ++i) {
    if (read_[i].json && reads_status(driver, answers_[i])) {
      answers.documents.push_back({answers_[i].path, &*read_[i].json});
    }
  }
  return answers;
}

std::vector<std::string> further_questions(const DriverFacts& driver, const AnswersRead& asked) {
  std::vector<std::string> paths;
  for (const DocumentSource& document : driver.documents) add_once(paths, document.path);
  std::erase_if(paths, [&](const std::string& path) {
    return says_never(driver, path) ||
           std::any_of(asked.all().begin(), asked.all().end(),
                       [&](const SurveyAnswer& answer) { return answer.path == path; });
  });
  return paths;
}

Identity identify(const AnswersRead& answers, const std::vector<const DriverFacts*>& drivers) {
  Identity identity;
  for (const DriverFacts* driver : drivers) {
    Fitting fitting{driver, fingerprint(answers.for_driver(*driver), *driver)};
    (fitting.match.fits ? identity.fitting : identity.others).push_back(std::move(fitting));
  }
  if (identity.fitting.empty()) {
    for (const DriverFacts* driver : drivers) {
      if (is_generic(*driver) && lists_models(answers, *driver)) {
        FingerprintMatch match;
        match.fits = true;
        match.matched.push_back(*driver->models_path + " data");
        identity.fitting.push_back({driver, std::move(match)});
      }
    }
  }
  std::stable_sort(
      identity.fitting.begin(), identity.fitting.end(),
      [](const Fitting& a, const Fitting& b) { return a.match.strength() > b.match.strength(); });
  return identity;
}

std::vector<FieldReport> report_fields(const AnswersRead& answers, const DriverFacts& driver) {
  const Answers read = answers.for_driver(driver);
  if (driver.kind == DriverKind::router) return {};
  if (driver.kind == DriverKind::engine) return report_engine(read, driver);
  return read.page == nullptr ? std::vector<FieldReport>()
                              : report_accelerators(*read.page, driver);
}

}  // namespace sluice::sense
