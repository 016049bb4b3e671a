"""The use cases behind the command line: build, preview, replay, images, doctor, bundle, store."""
