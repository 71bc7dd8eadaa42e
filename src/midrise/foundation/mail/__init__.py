"""Mail to people: what a mail is, and the ways it can take.

mail.py        a mail, and what a mailer is
message.py     a mail in the form that is sent
smtp.py        to an SMTP server
files.py       into a folder, for a machine without one
"""

from midrise.foundation.mail.files import FileMailer, KeptMail
from midrise.foundation.mail.mail import Mail, Mailer, MailRefused

__all__ = ["FileMailer", "KeptMail", "Mail", "MailRefused", "Mailer"]
