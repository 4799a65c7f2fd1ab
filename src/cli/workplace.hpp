#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>
#include <optional>

#include "cli/app.hpp"
#include "cli/rehearsal_process.hpp"
#include "engine/engine.hpp"
#include "store/lock.hpp"

namespace planexe::cli {

/// Everything that is needed to run plans, opened in the order in which it can fail cheaply: recipe, catalogue, database, model
/// (or rehearsal server), engine.
class Workplace {
 public:
  struct Needs {
    PlanOptions plan;
    std::string owner = "cli";       ///< beginning of the name that leases are held under
    bool may_rehearse = true;        ///< without a provider the rehearsal model answers
    bool provider_required = true;   ///< PROVIDER_NOT_CONFIGURED when nothing can answer
    llm::ClientObserver* observer = nullptr;   ///< of model calls; outlives the workplace
  };

  static Result<std::unique_ptr<Workplace>> open(const App& app, const Needs& needs);
  ~Workplace();

  [[nodiscard]] boost::asio::io_context& loop() { return loop_; }
  [[nodiscard]] engine::Engine& engine() { return *engine_; }
  [[nodiscard]] llm::ModelClient& client() { return *client_; }
  [[nodiscard]] store::Store& store() { return *store_; }
  [[nodiscard]] const llm::Catalogue& catalogue() const { return catalogue_; }
  [[nodiscard]] const llm::PriceTable& prices() const { return prices_; }
  [[nodiscard]] const std::shared_ptr<const recipe::Recipe>& recipe() const { return loaded_.recipe; }
  [[nodiscard]] bool rehearsal() const { return rehearsal_.has_value(); }
  /// No other process can run plans of this store.
  [[nodiscard]] bool exclusive() const { return lock_ != nullptr; }

 private:
  explicit Workplace(const App& app) : app_(app) {}
  Result<void> open_store();
  Result<void> open_model(const Needs& needs);
  Result<void> open_engine(const Needs& needs);
  Result<void> check_model(const std::string& id) const;

  const App& app_;
  App::LoadedRecipe loaded_;
  llm::Catalogue catalogue_;
  llm::PriceTable prices_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<store::DataDirLock> lock_;
  std::optional<RehearsalProcess> rehearsal_;
  boost::asio::io_context loop_;
  std::unique_ptr<llm::ModelClient> client_;
  std::unique_ptr<engine::Engine> engine_;
};

}  // namespace planexe::cli
