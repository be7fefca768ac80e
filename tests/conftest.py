"""What all tests share: how hard hypothesis tries. Its deadline is off, because a busy host is not a bug."""

from hypothesis import settings

settings.register_profile("house", max_examples=40, deadline=None)
settings.load_profile("house")
