"""Sessions: logged in on one device until logged out, replaced or expired."""
