"""What an event, an opt or a report is about: parties, resources, places and points of the grid (section 2.7).

It stands alone because four different elements share the one type.
"""

from __future__ import annotations

from .declare import DOUBLES, TEXT, Scalar, attribute, many, one, schema

_ID = Scalar("ID")


@schema
class Polygon:
    """A ring of coordinates (GML:10). ``pos_list`` is carried as text: the profile fixes neither axes nor system."""

    pos_list: str = one("gml:exterior/gml:LinearRing/gml:posList", DOUBLES)
    id: str | None = attribute("gml:id", _ID)


@schema
class FeatureCollection:
    """A place on the map (GML:4)."""

    polygon: Polygon = one("gml:location/gml:Polygon", Polygon)
    id: str | None = attribute("gml:id", _ID)


@schema
class TransportInterface:
    """The edge between two nodes of the grid (POW:65)."""

    point_of_receipt: str = one("power:pointOfReceipt", TEXT)
    point_of_delivery: str = one("power:pointOfDelivery", TEXT)


@schema
class EiTarget:
    """A set of targets, several values being alternatives (EI:407; rules R22, R111, R202, R302, R307).

    An empty one means the receiving party with all its resources.
    """

    aggregated_pnode: tuple[str, ...] = many("power:aggregatedPnode*/power:node", TEXT)
    end_device_asset: tuple[str, ...] = many("power:endDeviceAsset*/power:mrid", TEXT)
    meter_asset: tuple[str, ...] = many("power:meterAsset*/power:mrid", TEXT)
    pnode: tuple[str, ...] = many("power:pnode*/power:node", TEXT)
    service_area: tuple[FeatureCollection, ...] = many("emix:serviceArea*/gml:FeatureCollection", FeatureCollection)
    service_delivery_point: tuple[str, ...] = many("power:serviceDeliveryPoint*/power:node", TEXT)
    service_location: tuple[FeatureCollection, ...] = many(
        "power:serviceLocation*/gml:FeatureCollection", FeatureCollection
    )
    transport_interface: tuple[TransportInterface, ...] = many("power:transportInterface*", TransportInterface)
    group_id: tuple[str, ...] = many("ei:groupID*", TEXT)
    group_name: tuple[str, ...] = many("ei:groupName*", TEXT)
    resource_id: tuple[str, ...] = many("ei:resourceID*", TEXT)
    ven_id: tuple[str, ...] = many("ei:venID*", TEXT)
    party_id: tuple[str, ...] = many("ei:partyID*", TEXT)
