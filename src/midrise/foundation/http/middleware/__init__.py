"""The layers around the framework: pure ASGI, one file each, in the order that `app/server.py` lists them."""
