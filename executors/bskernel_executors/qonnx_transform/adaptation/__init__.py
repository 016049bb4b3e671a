"""What `adapt` mends in a user's model: a module per kind of mend, and `mends` with all of them in order.

A mend is a function that changes an onnx.ModelProto in place and returns the changes. It finds nothing to do in a
model that is fine already, so it may run twice.
"""
