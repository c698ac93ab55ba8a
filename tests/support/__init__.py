"""What several suites share: servers, stores, recorded runs, and plugins that leave."""
