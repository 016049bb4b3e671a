"""What tests share: builds, fakes that behave, servers, data."""
