"""Registration and polling (sections 2.4, 2.5 and 2.11).

It stands alone as the payloads of the services EiRegisterParty and OadrPoll.
"""

from __future__ import annotations

from .base import EiResponse, Payload
from .declare import BOOLEAN, DURATION, TEXT, closed, many, maybe, message, one, opt, schema, some
from .values import Duration
from .vocabulary import ProfileName, ServiceName, TransportName


@schema
class Info:
    """A key and its value (O:537)."""

    oadr_key: str = one("oadr:oadrKey", TEXT)
    oadr_value: str = one("oadr:oadrValue", TEXT)


@schema
class Service:
    """Settings of one service (O:514)."""

    oadr_service_name: ServiceName = one("oadr:oadrServiceName", closed(ServiceName))
    oadr_info: tuple[Info, ...] = some("oadr:oadrInfo*", Info)


@schema
class Extension:
    """A named extension and its settings (O:390)."""

    oadr_extension_name: str = one("oadr:oadrExtensionName", TEXT)
    oadr_info: tuple[Info, ...] = many("oadr:oadrInfo*", Info)


@schema
class Profile:
    """A profile and the transports it is offered on (O:456)."""

    oadr_profile_name: ProfileName = one("oadr:oadrProfileName", closed(ProfileName))
    oadr_transports: tuple[TransportName, ...] = some(
        "oadr:oadrTransports/oadr:oadrTransport*/oadr:oadrTransportName", closed(TransportName)
    )


@message("oadr:oadrQueryRegistration")
class QueryRegistration(Payload):
    """A VEN asks what the VTN offers."""

    request_id: str = one("pyld:requestID", TEXT)


@message("oadr:oadrCreatePartyRegistration")
class CreatePartyRegistration(Payload):
    """A VEN registers, or registers again with its ``registration_id`` and ``ven_id`` (R402)."""

    request_id: str = one("pyld:requestID", TEXT)
    registration_id: str | None = opt("ei:registrationID", TEXT)
    ven_id: str | None = opt("ei:venID", TEXT)
    oadr_profile_name: ProfileName = one("oadr:oadrProfileName", closed(ProfileName), default=ProfileName.B)
    oadr_transport_name: TransportName = one(
        "oadr:oadrTransportName", closed(TransportName), default=TransportName.SIMPLE_HTTP
    )
    oadr_transport_address: str | None = opt("oadr:oadrTransportAddress", TEXT)
    oadr_report_only: bool = one("oadr:oadrReportOnly", BOOLEAN, default=False)
    oadr_xml_signature: bool = one("oadr:oadrXmlSignature", BOOLEAN, default=False)
    oadr_ven_name: str | None = opt("oadr:oadrVenName", TEXT)
    oadr_http_pull_model: bool | None = opt("oadr:oadrHttpPullModel", BOOLEAN)


@message("oadr:oadrCreatedPartyRegistration")
class CreatedPartyRegistration(Payload):
    """The VTN's answer to a query or a registration (R403, R404)."""

    ei_response: EiResponse = one("ei:eiResponse", EiResponse)
    registration_id: str | None = opt("ei:registrationID", TEXT)
    ven_id: str | None = opt("ei:venID", TEXT)
    vtn_id: str = one("ei:vtnID", TEXT)
    oadr_profiles: tuple[Profile, ...] = some("oadr:oadrProfiles/oadr:oadrProfile*", Profile)
    oadr_requested_oadr_poll_freq: Duration | None = opt(
        "oadr:oadrRequestedOadrPollFreq/xcal:duration", DURATION
    )
    oadr_service_specific_info: tuple[Service, ...] | None = maybe(
        "oadr:oadrServiceSpecificInfo/oadr:oadrService*", Service
    )
    oadr_extensions: tuple[Extension, ...] | None = maybe("oadr:oadrExtensions/oadr:oadrExtension*", Extension)


@message("oadr:oadrCancelPartyRegistration")
class CancelPartyRegistration(Payload):
    """Either party ends the registration (R407)."""

    request_id: str = one("pyld:requestID", TEXT)
    registration_id: str = one("ei:registrationID", TEXT)
    ven_id: str | None = opt("ei:venID", TEXT)


@message("oadr:oadrCanceledPartyRegistration")
class CanceledPartyRegistration(Payload):
    """The registration is ended."""

    ei_response: EiResponse = one("ei:eiResponse", EiResponse)
    registration_id: str | None = opt("ei:registrationID", TEXT)
    ven_id: str | None = opt("ei:venID", TEXT)


@message("oadr:oadrRequestReregistration")
class RequestReregistration(Payload):
    """The VTN wants the VEN to register again."""

    ven_id: str = one("ei:venID", TEXT)


@message("oadr:oadrPoll")
class Poll(Payload):
    """A VEN asks whether there is anything for it (R500)."""

    ven_id: str = one("ei:venID", TEXT)
