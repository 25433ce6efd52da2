"""What can go wrong with a book."""


class BookError(ValueError):
    """What this book cannot do as it was asked to: the message is for the user."""


class ChapterFailed(BookError):  # noqa: N818 - what happened, rather than that it is an error
    """A chapter that had to be executed could not be; its error's last line ends the message."""
