# Stands in for debian:VERSION-slim: Debian's own packages, and the certificates and addresses of
# registries that this machine uses, so that builds in it reach what the machine reaches.
FROM scratch
ADD debian.tar /
COPY ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt PIP_CERT=/etc/ssl/certs/ca-certificates.crt
CMD ["bash"]
