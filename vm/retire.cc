#include "vm/retire.h"

#include <utility>

#include "base/error.h"
#include "vm/claims.h"
#include "vm/retire_steps.h"

namespace muster::vm {
namespace {

using base::Code;
using base::Error;
using Fate = PlannedStep::Fate;

// The last that can be written down and read again (tombstone.h).
constexpr Time kLastTime = std::chrono::sys_days(std::chrono::year(9999) / 12 / 31);

RetireWork work_on(const base::Context& ctx, const virt::Connection& connection, const virt::Domain& domain,
                   const RetireOptions& options) {
  if (!domain.persistent())
    throw Error(Code::refused, "'" + domain.name() + "' has no definition: it is gone once it is stopped");
  check_unclaimed(ctx, connection, domain);
  auto journal = retirement_of(domain);
  if (!journal) journal = Retirement{.name = domain.name(), .begun = now()};
  if (!lies_in_trash(domain.name(), *journal)) journal->name = domain.name();  // somebody may have renamed it since
  if (options.aim == Aim::trash && !journal->removed.empty())
    throw Error(Code::refused, "its disks began to be removed: '" + journal->name +
                                   "' can only go for good: say --purge, or vm undelete while all are there");
  journal->deleted = now();
  journal->expires = options.keep < kLastTime - now() ? now() + options.keep : kLastTime;
  journal->aim = options.aim;
  return {.ctx = ctx, .connection = connection, .domain = domain, .options = options, .journal = std::move(*journal)};
}

std::vector<PlannedStep> plan_all(RetireWork& work) {
  std::vector<PlannedStep> plan;
  for (const auto& row : retire_steps()) plan.push_back(row.plan(work));
  return plan;
}

void note(RetireWork& work, const PlannedStep& planned) {
  auto& record = work.journal.record(planned.step);
  const bool again = planned.step == Step::final_backup && planned.fate == Fate::due;
  if (record.state == StepRecord::State::done && !again) return;
  if (planned.fate == Fate::left_out) record.state = StepRecord::State::left_out;
  if (planned.fate == Fate::not_needed) record.state = StepRecord::State::done;
  if (planned.fate == Fate::due) record.state = StepRecord::State::planned;
}

// The last step takes the metadata along, or away: it is written as done before.
void take(RetireWork& work, const RetireStep& row, const PlannedStep& planned, const StepObserver& observer) {
  const auto tell = [&](Progress progress) {
    if (observer) observer(planned, progress);
  };
  const bool last = row.step == Step::unregister;
  tell(Progress::begins);
  if (row.prepare != nullptr) row.prepare(work);
  if (last) work.journal.record(row.step).state = StepRecord::State::done;
  if (last || row.prepare != nullptr) write_retirement(work.domain, work.journal);
  tell(Progress::prepared);
  const bool done = row.act(work);
  tell(Progress::taken);
  if (!last) {
    work.journal.record(row.step).state = done ? StepRecord::State::done : StepRecord::State::left_out;
    write_retirement(work.domain, work.journal);
  }
  tell(Progress::done);
}

RetireOutcome outcome_of(RetireWork& work) {
  work.outcome.name = work.journal.name;
  if (work.options.aim != Aim::trash) return std::move(work.outcome);
  work.outcome.expires = work.journal.expires;
  work.outcome.held_bytes = held_bytes(work.domain);
  return std::move(work.outcome);
}

}  // namespace

std::vector<PlannedStep> plan_retirement(const base::Context& ctx, const virt::Connection& connection,
                                         const virt::Domain& domain, const RetireOptions& options) {
  auto work = work_on(ctx, connection, domain, options);
  return plan_all(work);
}

RetireOutcome retire(const base::Context& ctx, const virt::Connection& connection, const virt::Domain& domain,
                     const RetireOptions& options, const StepObserver& observer) {
  auto work = work_on(ctx, connection, domain, options);
  if (options.aim == Aim::trash && in_trash(domain) && retirement_of(domain)->aim == Aim::trash) {
    work.journal = *retirement_of(domain);
    work.outcome.trash_name = domain.name();
    work.outcome.changed = false;
    return outcome_of(work);
  }
  const auto plan = plan_all(work);
  for (const auto& planned : plan) note(work, planned);
  write_retirement(work.domain, work.journal);
  for (std::size_t i = 0; i < plan.size(); ++i) {
    if (plan[i].fate != Fate::due) continue;
    ctx.check_stop();
    take(work, retire_steps()[i], plan[i], observer);
  }
  if (options.aim == Aim::trash && work.outcome.trash_name.empty()) work.outcome.trash_name = work.domain.name();
  return outcome_of(work);
}

}  // namespace muster::vm
