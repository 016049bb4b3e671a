"""From a configuration, its flow and catalogues to a plan. Pure: it touches no file, process or clock."""
