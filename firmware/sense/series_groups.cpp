#include "firmware/sense/series_groups.h"

#include <algorithm>
#include <map>

#include "firmware/sense/driver_fields.h"

namespace sluice::sense {

namespace {

std::string value_of(const Exposition& page, const Sample& sample, std::string_view label) {
  const Label* found = page.label(sample, label);
  return found == nullptr ? "" : unescape_label(found->escaped);
}

// Empty if no label tells one device from another.
std::string id_of(const Exposition& page, const Sample& sample, const DriverFacts& facts) {
  std::string id;
  for (const std::string& label : facts.id_labels) {
    id = value_of(page, sample, label);
    if (!id.empty()) break;
  }
  if (id.empty()) return id;
  for (const std::string& label : facts.partition_labels) {
    const std::string partition = value_of(page, sample, label);
    if (!partition.empty() && partition != facts.partition_whole) id += "/" + partition;
  }
  return id;
}

std::vector<std::string> field_names(const DriverFacts& facts, std::string_view prefix) {
  std::vector<std::string> names;
  for (const std::vector<ValueSource>& field : facts.accelerator_fields) {
    for (const ValueSource& source : field) add_series_names(source, false, names);
  }
  for (std::string& name : names) name.insert(0, prefix);
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

std::vector<SeriesGroup> group_by_device(const Exposition& page, const DriverFacts& facts,
                                         std::string_view prefix) {
  const std::vector<std::string> names = field_names(facts, prefix);
  const std::string name_metric = std::string(prefix) + facts.name_metric;
  std::vector<SeriesGroup> groups;
  std::map<std::string, size_t> places;
  std::map<std::string, std::string> models;  // by id
  for (uint32_t i = 0; i < page.samples.size(); ++i) {
    const Sample& sample = page.samples[i];
    const bool is_field = std::binary_search(names.begin(), names.end(), sample.name);
    const bool is_naming = facts.name_metric.empty() ? is_field : sample.name == name_metric;
    if (!is_field && !is_naming) continue;
    const std::string id = id_of(page, sample, facts);
    if (id.empty()) continue;
    for (const std::string& label : facts.name_labels) {
      std::string& model = models[id];
      if (is_naming && model.empty()) model = value_of(page, sample, label);
    }
    if (!is_field) continue;
    const auto [place, is_new] = places.try_emplace(id, groups.size());
    if (is_new && groups.size() == kAcceleratorsMax) {
      places.erase(place);
      continue;
    }
    if (is_new) groups.push_back({id, "", {}});
    groups[place->second].samples.push_back(i);
  }
  for (SeriesGroup& group : groups) {
    group.name = models[group.id];
    sort_by_name(page, group.samples);
  }
  return groups;
}

}  // namespace sluice::sense
