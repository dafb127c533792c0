"""Where events, states and references keep their fields."""

cdef Py_ssize_t EVENT_OP = offset_of(ResourceEvent.op), EVENT_STATE = offset_of(ResourceEvent.state)
cdef Py_ssize_t STATE_RESOURCE = offset_of(ResourceState.resource), STATE_UID = offset_of(ResourceState.uid)
cdef Py_ssize_t STATE_VERSION = offset_of(ResourceState.resource_version)
cdef Py_ssize_t STATE_DIGEST = offset_of(ResourceState.digest), STATE_LABELS = offset_of(ResourceState.labels)
cdef Py_ssize_t STATE_TEMPLATE = offset_of(ResourceState.template_labels)
cdef Py_ssize_t STATE_REFERENCES = offset_of(ResourceState.references)
cdef Py_ssize_t STATE_READ_AT = offset_of(ResourceState.version), STATE_DELETING = offset_of(ResourceState.deleting)
cdef Py_ssize_t STATE_PARTS = offset_of(ResourceState.parts), STATE_FACTS = offset_of(ResourceState.facts)
cdef Py_ssize_t STATE_FINALIZERS = offset_of(ResourceState.finalizers), STATE_GRANTS = offset_of(ResourceState.grants)
assert min(EVENT_OP, EVENT_STATE, STATE_RESOURCE, STATE_UID, STATE_VERSION, STATE_DIGEST, STATE_LABELS) > 0
assert min(STATE_TEMPLATE, STATE_REFERENCES, STATE_READ_AT, STATE_DELETING, STATE_PARTS, STATE_FACTS) > 0
assert min(STATE_FINALIZERS, STATE_GRANTS) > 0

cdef Py_ssize_t TARGET = offset_of(Reference.target), SELECTOR = offset_of(Reference.selector)
cdef Py_ssize_t UID = offset_of(Reference.uid)
assert min(TARGET, SELECTOR, UID) > 0

# What a form is made of besides: all but target, selector and uid.
FORMED = [one for one in Reference.__struct_fields__ if one not in ("target", "selector", "uid")]
cdef enum:
    WORDS = 10
assert len(FORMED) == WORDS
cdef Py_ssize_t FORM_AT[WORDS]
for _at in range(WORDS):
    FORM_AT[_at] = offset_of(getattr(Reference, FORMED[_at]))
    assert FORM_AT[_at] > 0

# A field that is its default is not written; of texts and tuples msgspec asks whether it is the very object.
cdef object READ_AT = Traits().version
assert Fact.__struct_defaults__[0] is _empty and Traits().finalizers is _no_tuple is Traits().grants
