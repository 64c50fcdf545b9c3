"""One more service as a fork of the template: made by `new-service`, kept up with it by `upgrade-service`."""
